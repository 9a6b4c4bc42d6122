import React from "react";
import { useAsking, useLive } from "../hooks.ts";
import type { Live } from "../live.ts";
import { Button, ProblemBox } from "../parts.tsx";
import type { AskedFiles, Audience, Server } from "../server.ts";
import { plural } from "../words.ts";
import { AudienceField, JobsField, LEAST_PURPOSE, ReasonFields, useChecks } from "./fields.tsx";

const AUDIENCES: Record<Audience, string> = {
  project: "The project’s team",
  "signed-in": "Everybody who is signed in to the hub",
  public: "Everybody",
};

export interface Leaving {
  files: string[];
  server: Server;
  live: Live;
  close: () => void;
}

/** Asks for files to be released: what the checks say stands there before anything is sent. */
export function ReleaseDialog({ files, server, live, close }: Leaving): React.JSX.Element {
  const { jobs } = useLive(live);
  const [asked, setAsked] = React.useState<AskedFiles>({
    files,
    purpose: "",
    context: "",
    jobs: [],
    audience: "project",
  });
  const change = (changes: Partial<AskedFiles>): void => setAsked({ ...asked, ...changes });
  const checks = useChecks(server, asked);
  const { busy, problem, ask } = useAsking();
  const [sent, setSent] = React.useState(false);
  const submit = async (): Promise<void> => {
    if (await ask(() => server.release(asked))) setSent(true);
  };
  if (sent)
    return <Sent words="Asked for. Two output checkers look at it; the panel shows how far it is." close={close} />;
  return (
    <div className="flip-form">
      <p className="flip-small">
        {plural(files.length, "file")} to leave the workspace. Two output checkers read what you write here.
      </p>
      {checks.view}
      <ReasonFields purpose={asked.purpose} context={asked.context} onChange={change} />
      <JobsField jobs={jobs ?? []} chosen={asked.jobs} onChange={chosen => change({ jobs: chosen })} />
      <AudienceField
        legend="Who may have it then"
        words={AUDIENCES}
        value={asked.audience}
        onChange={audience => change({ audience })}
      />
      <ProblemBox problem={problem} />
      <div className="flip-buttons flip-buttons-end">
        <Button onClick={close}>Not yet</Button>
        <Button
          kind="main"
          disabled={busy || !checks.fine || asked.purpose.trim().length < LEAST_PURPOSE}
          onClick={() => void submit()}
        >
          {busy ? "Asking …" : "Ask for release"}
        </Button>
      </div>
    </div>
  );
}

export function Sent({ words, close }: { words: string; close: () => void }): React.JSX.Element {
  return (
    <div className="flip-form" role="status">
      <p>{words}</p>
      <div className="flip-buttons flip-buttons-end">
        <Button kind="main" onClick={close} autoFocus>
          Done
        </Button>
      </div>
    </div>
  );
}
