import React from "react";
import { useAsking, useLive } from "../hooks.ts";
import { Button, Field, ProblemBox } from "../parts.tsx";
import type { Audience } from "../server.ts";
import { AudienceField, JobsField, LEAST_PURPOSE, ReasonFields, useChecks } from "./fields.tsx";
import { nameOf } from "./names.ts";
import { type Leaving, Sent } from "./ReleaseDialog.tsx";

const AUDIENCES: Record<Audience, string> = {
  project: "The project’s team, at once",
  "signed-in": "Everybody signed in to the hub, once two output checkers agree",
  public: "Everybody, once two output checkers agree",
};
const PUBLISHED = "Published for the project’s team.";

/** Makes a notebook a dashboard, and asks for its release where more than the team is to see it. */
export function PublishDialog({ files, server, live, close }: Leaving): React.JSX.Element {
  const file = files[0] ?? "";
  const { jobs } = useLive(live);
  const [name, setName] = React.useState(nameOf(file));
  const [audience, setAudience] = React.useState<Audience>("project");
  const [reason, setReason] = React.useState({ purpose: "", context: "" });
  const [chosen, setChosen] = React.useState<string[]>([]);
  const [sent, setSent] = React.useState("");
  const { busy, problem, ask } = useAsking();
  const asked = { files: [file], ...reason, jobs: chosen, audience };
  const checks = useChecks(server, asked);
  const wide = audience !== "project";
  const submit = async (): Promise<void> => {
    if (!(await ask(() => server.publish({ file, name, jobs: chosen })))) return;
    if (!wide) return setSent(PUBLISHED);
    if (await ask(() => server.release({ ...asked, dashboard: name }))) {
      setSent(`${PUBLISHED} Two output checkers decide who else sees it; the panel shows how far that is.`);
    }
  };
  if (sent) return <Sent words={sent} close={close} />;
  return (
    <div className="flip-form">
      <p className="flip-small">
        <code>{file}</code> is rendered without its code and without stored outputs: it shows what it computes from
        released results.
      </p>
      {checks.view}
      <Field label="Name" hint="In the address; the same name replaces the dashboard. Lower case, digits and hyphens.">
        {id => <input id={id} type="text" value={name} onChange={event => setName(event.target.value)} />}
      </Field>
      <JobsField jobs={jobs ?? []} chosen={chosen} onChange={setChosen} />
      <AudienceField legend="Who sees it" words={AUDIENCES} value={audience} onChange={setAudience} />
      {wide && <ReasonFields {...reason} onChange={changes => setReason({ ...reason, ...changes })} />}
      <ProblemBox problem={problem} />
      <div className="flip-buttons flip-buttons-end">
        <Button onClick={close}>Not yet</Button>
        <Button
          kind="main"
          disabled={busy || !name || (wide && (!checks.fine || reason.purpose.trim().length < LEAST_PURPOSE))}
          onClick={() => void submit()}
        >
          {busy ? "Publishing …" : "Publish"}
        </Button>
      </div>
    </div>
  );
}
