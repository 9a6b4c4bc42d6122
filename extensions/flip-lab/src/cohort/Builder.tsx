import React from "react";
import { useAsking, useLive } from "../hooks.ts";
import type { Live } from "../live.ts";
import { Button, ProblemBox, Waiting } from "../parts.tsx";
import type { Budget, Concept, Description } from "../records.ts";
import type { Server } from "../server.ts";
import { Code, Count, Words } from "./Described.tsx";
import { type AskedCohort, EMPTY, isWhole, newRule, withoutEntry } from "./model.ts";
import { Choice, EventRow, RuleRow } from "./rows.tsx";

const PAUSE = 350;
/** Milliseconds after the last change before the cohort is described anew. */

export interface Building {
  live: Live;
  server: Server;
  /** Puts code into the notebook at hand, and says what it did. */
  insert: (code: string) => Promise<string>;
}

export function Builder({ live, server, insert }: Building): React.JSX.Element {
  const [cohort, setCohort] = React.useState<AskedCohort>(EMPTY);
  const [concepts, setConcepts] = React.useState<Concept[]>();
  const loading = useAsking();
  const { description, problem } = useDescription(server, cohort, useLive(live).budget);
  const { ask } = loading;
  React.useEffect(() => {
    void ask(() => server.concepts()).then(setConcepts);
  }, [ask, server]);
  return (
    <div className="flip-builder-columns">
      <div className="flip-builder-rules">
        <h2>Who is it about?</h2>
        <ProblemBox problem={loading.problem} />
        {concepts === undefined && loading.busy && <Waiting words="Reading the catalogue …" />}
        {concepts !== undefined && <Parts cohort={cohort} concepts={concepts} onChange={setCohort} />}
      </div>
      <div className="flip-builder-answers">
        <ProblemBox problem={problem} />
        <Words description={description} />
        <Count
          cohort={cohort}
          description={description}
          live={live}
          server={server}
          onEpsilon={value => setCohort({ ...cohort, epsilon: value })}
        />
        <Code code={description?.code} insert={insert} />
      </div>
    </div>
  );
}

/** The cohort's description, a moment after its last change; nothing while something is only begun. */
function useDescription(
  server: Server,
  cohort: AskedCohort,
  budget: Budget[] | undefined,
): { description: Description | undefined; problem: ReturnType<typeof useAsking>["problem"] } {
  const { problem, ask } = useAsking();
  const [description, setDescription] = React.useState<Description>();
  // biome-ignore lint/correctness/useExhaustiveDependencies: what was said of another cohort goes at once
  React.useEffect(() => setDescription(undefined), [cohort]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the price is another one once something was spent
  React.useEffect(() => {
    if (!isWhole(cohort) || !(cohort.epsilon > 0)) return;
    let wanted = true;
    const timer = setTimeout(async () => {
      const told = await ask(() => server.describe(cohort));
      if (wanted) setDescription(told);
    }, PAUSE);
    return () => {
      wanted = false;
      clearTimeout(timer);
    };
  }, [ask, server, cohort, budget]);
  return { description, problem };
}

function Parts(props: {
  cohort: AskedCohort;
  concepts: Concept[];
  onChange: (cohort: AskedCohort) => void;
}): React.JSX.Element {
  return (
    <>
      <Entry {...props} />
      <Rules {...props} />
    </>
  );
}

type PartProps = Parameters<typeof Parts>[0];

function Entry({ cohort, concepts, onChange }: PartProps): React.JSX.Element {
  const { entry } = cohort;
  const change = (place: number, value?: (typeof entry)[number]): void => {
    const changed = entry.flatMap((one, at) => (at === place ? (value ? [value] : []) : [one]));
    onChange(changed.length > 0 ? { ...cohort, entry: changed } : withoutEntry(cohort));
  };
  const add = (): void => onChange({ ...cohort, entry: [...entry, { kind: "condition", concepts: [] }] });
  return (
    <section className="flip-section" aria-label="Entry">
      <h3 className="flip-heading">Begin with</h3>
      {entry.length === 0 ? (
        <p>Everybody whom the Trusts hold.</p>
      ) : (
        <div className="flip-range">
          <span>Persons from their</span>
          <Choice
            label="Which day of entry"
            value={cohort.which}
            options={[
              ["first", "first"],
              ["last", "last"],
              ["all", "every"],
            ]}
            onChange={which => onChange({ ...cohort, which: which as AskedCohort["which"] })}
          />
          <span>day with any of these:</span>
        </div>
      )}
      <ul className="flip-list">
        {entry.map((one, place) => (
          <EventRow
            // biome-ignore lint/suspicious/noArrayIndexKey: rows have no names, and keep their places
            key={place}
            name={`Entry ${place + 1}`}
            value={one}
            concepts={concepts}
            onChange={value => change(place, value)}
            onRemove={() => change(place)}
          />
        ))}
      </ul>
      <div className="flip-buttons">
        <Button onClick={add}>{entry.length === 0 ? "Begin with something that happened" : "Or with …"}</Button>
      </div>
    </section>
  );
}

function Rules({ cohort, concepts, onChange }: PartProps): React.JSX.Element {
  const { rules } = cohort;
  const hasEntry = cohort.entry.length > 0;
  const change = (place: number, value?: (typeof rules)[number]): void =>
    onChange({ ...cohort, rules: rules.flatMap((one, at) => (at === place ? (value ? [value] : []) : [one])) });
  return (
    <section className="flip-section" aria-label="Rules">
      <h3 className="flip-heading">All of these hold</h3>
      {rules.length === 0 && <p className="flip-empty">No rules yet. Several names in one rule mean any of them.</p>}
      <ul className="flip-list">
        {rules.map((one, place) => (
          <RuleRow
            // biome-ignore lint/suspicious/noArrayIndexKey: rows have no names, and keep their places
            key={place}
            name={`Rule ${place + 1}`}
            value={one}
            concepts={concepts}
            hasEntry={hasEntry}
            onChange={value => change(place, value)}
            onRemove={() => change(place)}
          />
        ))}
      </ul>
      <div className="flip-buttons">
        <Button onClick={() => onChange({ ...cohort, rules: [...rules, newRule("condition", hasEntry)] })}>
          Add a rule
        </Button>
        <Button onClick={() => onChange({ ...cohort, rules: [...rules, newRule("age", hasEntry)] })}>Add an age</Button>
      </div>
    </section>
  );
}
