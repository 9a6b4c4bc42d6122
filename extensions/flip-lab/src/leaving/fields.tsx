import React from "react";
import { useAsking } from "../hooks.ts";
import { Button, Field, ProblemBox, Waiting } from "../parts.tsx";
import type { Examined, Job } from "../records.ts";
import type { AskedFiles, Audience, Server } from "../server.ts";
import { Checks } from "./Checks.tsx";

export const LEAST_PURPOSE = 10;
/** So many letters a purpose has at least, at the hub too. */

export function TextField(props: {
  label: string;
  hint: string;
  value: string;
  rows: number;
  onChange: (value: string) => void;
}): React.JSX.Element {
  return (
    <Field label={props.label} hint={props.hint}>
      {id => (
        <textarea
          id={id}
          rows={props.rows}
          value={props.value}
          onChange={event => props.onChange(event.target.value)}
        />
      )}
    </Field>
  );
}

/** What output checkers read first: which planned output it is, and what it shows of whom. */
export function ReasonFields(props: {
  purpose: string;
  context: string;
  onChange: (changes: { purpose?: string; context?: string }) => void;
}): React.JSX.Element {
  return (
    <>
      <TextField
        label="Purpose"
        hint="Which planned output it is, and who will see it. Output checkers read it."
        rows={2}
        value={props.purpose}
        onChange={purpose => props.onChange({ purpose })}
      />
      <TextField
        label="Context"
        hint="What it shows of whom, and how it was made. Most requests that come back were short of it."
        rows={3}
        value={props.context}
        onChange={context => props.onChange({ context })}
      />
    </>
  );
}

/** Which of the project's completed jobs something is made of. */
export function JobsField(props: {
  jobs: Job[];
  chosen: string[];
  onChange: (chosen: string[]) => void;
}): React.JSX.Element | null {
  const completed = props.jobs.filter(job => job.state === "completed");
  if (completed.length === 0) return null;
  const toggle = (id: string, on: boolean): void =>
    props.onChange(on ? [...props.chosen, id] : props.chosen.filter(one => one !== id));
  return (
    <fieldset className="flip-field">
      <legend>Made of these jobs’ results</legend>
      <div className="flip-choices">
        {completed.map(job => (
          <label key={job.id}>
            <input
              type="checkbox"
              checked={props.chosen.includes(job.id)}
              onChange={event => toggle(job.id, event.target.checked)}
            />
            {job.kind} <code>{job.id}</code>
          </label>
        ))}
      </div>
    </fieldset>
  );
}

export function AudienceField(props: {
  legend: string;
  words: Record<Audience, string>;
  value: Audience;
  onChange: (value: Audience) => void;
}): React.JSX.Element {
  const name = React.useId();
  return (
    <fieldset className="flip-field">
      <legend>{props.legend}</legend>
      <div className="flip-choices flip-choices-down">
        {(Object.keys(props.words) as Audience[]).map(one => (
          <label key={one}>
            <input type="radio" name={name} checked={props.value === one} onChange={() => props.onChange(one)} />
            {props.words[one]}
          </label>
        ))}
      </div>
    </fieldset>
  );
}

export interface Checked {
  files: Examined[] | undefined;
  /** Whether they have run and none of them blocks. */
  fine: boolean;
  view: React.JSX.Element;
}

/** Runs the airlock's checks at once, and again when asked; nothing is submitted. */
export function useChecks(server: Server, asked: AskedFiles): Checked {
  const { busy, problem, ask } = useAsking();
  const [files, setFiles] = React.useState<Examined[]>();
  const latest = React.useRef(asked);
  latest.current = asked;
  const run = React.useCallback(async () => {
    setFiles(undefined);
    setFiles(await ask(() => server.check({ ...latest.current, purpose: "" })));
  }, [ask, server]);
  React.useEffect(() => void run(), [run]);
  const fine = files?.every(file => file.verdict !== "block") ?? false;
  const view = (
    <section className="flip-checks" aria-label="Checks">
      <div className="flip-line">
        <h3 className="flip-heading">What the checks say</h3>
        <Button onClick={() => void run()} disabled={busy}>
          Check again
        </Button>
      </div>
      {busy && <Waiting words="The airlock’s checks run. Nothing is sent yet." />}
      <ProblemBox problem={problem} />
      {files && <Checks files={files} />}
    </section>
  );
  return { files, fine, view };
}
