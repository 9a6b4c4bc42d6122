import React from "react";
import { useAsking, useLive } from "../hooks.ts";
import type { Live } from "../live.ts";
import { Button, Confirm, Field, ProblemBox, StateMark } from "../parts.tsx";
import type { Counted, Description } from "../records.ts";
import type { Server } from "../server.ts";
import { epsilon, plural } from "../words.ts";
import type { AskedCohort } from "./model.ts";

/** The cohort as a sentence. */
export function Words({ description }: { description: Description | undefined }): React.JSX.Element {
  return (
    <section aria-label="In words" aria-live="polite">
      <h3 className="flip-heading">In words</h3>
      {description ? (
        description.words.map(line => <p key={line}>{line}</p>)
      ) : (
        <p className="flip-empty">Fill in what is begun, and it stands here as a sentence.</p>
      )}
    </section>
  );
}

/** What a count costs, a second question before it is paid, and its answer. */
export function Count(props: {
  cohort: AskedCohort;
  description: Description | undefined;
  live: Live;
  server: Server;
  onEpsilon: (value: number) => void;
}): React.JSX.Element {
  const { cohort, description, server } = props;
  const [asks, setAsks] = React.useState(false);
  const [job, setJob] = React.useState("");
  const { busy, problem, ask } = useAsking();
  const trusts = plural(description?.prices.length ?? 0, "Trust");
  const may = description !== undefined && description.problems.length === 0 && cohort.epsilon > 0;
  const count = async (): Promise<void> => {
    const made = await ask(() => server.count(cohort));
    setAsks(false);
    if (made) setJob(made.id);
  };
  return (
    <section aria-label="Count">
      <h3 className="flip-heading">How many are they?</h3>
      <Field
        label="Privacy cost ε"
        hint="More makes the noise smaller. It is spent at each Trust, and never comes back."
      >
        {id => (
          <input
            id={id}
            type="number"
            min="0.01"
            step="0.05"
            value={Number.isNaN(cohort.epsilon) ? "" : cohort.epsilon}
            onChange={event => props.onEpsilon(event.target.valueAsNumber)}
          />
        )}
      </Field>
      {description && <Prices description={description} />}
      {asks ? (
        <Confirm
          question={`Spend ε ${epsilon(cohort.epsilon)} at each of ${trusts}? It cannot be taken back.`}
          yes="Count now"
          no="Not yet"
          busy={busy}
          onYes={() => void count()}
          onNo={() => setAsks(false)}
        />
      ) : (
        <Button kind="main" disabled={!may} onClick={() => setAsks(true)}>
          Count them …
        </Button>
      )}
      <ProblemBox problem={problem} />
      {job && <Answer key={job} job={job} live={props.live} server={server} />}
    </section>
  );
}

function Prices({ description }: { description: Description }): React.JSX.Element {
  return (
    <div className="flip-prices">
      <ul className="flip-files flip-small">
        {description.prices.map(price => (
          <li key={price.trust} className="flip-line">
            <span>{price.trust}</span>
            {price.admitted ? (
              <span>
                {price.after !== null &&
                  price.cap !== null &&
                  `then ε ${epsilon(price.after)} of ${epsilon(price.cap)} spent`}
              </span>
            ) : (
              <StateMark state="blocked" words={price.why_not} />
            )}
          </li>
        ))}
      </ul>
      {description.notes.map(note => (
        <p key={note} className="flip-notice">
          {note}
        </p>
      ))}
      {description.problems.map(one => (
        <p key={one.message} className="flip-notice">
          {one.message} {one.mend}
        </p>
      ))}
    </div>
  );
}

/** How the count goes, and what it released. */
function Answer({ job, live, server }: { job: string; live: Live; server: Server }): React.JSX.Element {
  const known = useLive(live).jobs?.find(one => one.id === job);
  const completed = known?.state === "completed";
  const { problem, ask } = useAsking();
  const [counted, setCounted] = React.useState<Counted>();
  React.useEffect(() => {
    if (completed) void ask(() => server.counts(job)).then(setCounted);
  }, [completed, ask, server, job]);
  return (
    <div className="flip-answer" role="status">
      {!counted && <p>{known?.headline ?? "Handed in."}</p>}
      {known?.failed && <p className="flip-reason">{known.reason}</p>}
      <ProblemBox problem={problem} />
      {counted && <Persons counted={counted} />}
    </div>
  );
}

function Persons({ counted }: { counted: Counted }): React.JSX.Element {
  return (
    <table>
      <caption>Persons: noisy, rounded to 5; under the floor nothing is told.</caption>
      <tbody>
        {Object.entries(counted.counts).map(([trust, persons]) => (
          <tr key={trust}>
            <th scope="row">{trust}</th>
            <td>{persons ?? "kept back"}</td>
          </tr>
        ))}
        <tr>
          <th scope="row">Together</th>
          <td>
            <strong>{counted.total ?? "kept back"}</strong>
          </td>
        </tr>
      </tbody>
    </table>
  );
}

/** The same cohort in Python, to go on with. */
export function Code(props: {
  code: string | undefined;
  insert: (code: string) => Promise<string>;
}): React.JSX.Element {
  const [said, setSaid] = React.useState("");
  const { code } = props;
  const copy = async (text: string): Promise<void> => {
    await navigator.clipboard.writeText(text);
    setSaid("Copied.");
  };
  return (
    <section aria-label="In Python">
      <h3 className="flip-heading">In Python</h3>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a long line is scrolled by keyboard */}
      <pre tabIndex={0}>{code ?? " "}</pre>
      <div className="flip-buttons">
        <Button disabled={!code} onClick={() => code && void props.insert(code).then(setSaid)}>
          Insert into the notebook
        </Button>
        <Button disabled={!code} onClick={() => code && void copy(code)}>
          Copy
        </Button>
      </div>
      <p className="flip-small" role="status">
        {said}
      </p>
    </section>
  );
}
