/** One line of a cohort: something that happened, or a rule. */

import type React from "react";
import { Button } from "../parts.tsx";
import type { Concept } from "../records.ts";
import { ConceptPicker } from "./ConceptPicker.tsx";
import {
  type AskedRule,
  DOMAINS,
  EVENT_KINDS,
  type EventKind,
  type Happened,
  ofKind,
  type RuleKind,
  ruleKinds,
  type When,
  whens,
} from "./model.ts";

const WORDS: Record<RuleKind, string> = {
  condition: "condition",
  measurement: "measurement",
  drug: "drug",
  procedure: "procedure",
  observation: "observation",
  image: "images",
  age: "age",
  sex: "sex",
};
const WHENS: Record<When, string> = { any: "at any time", before: "before the entry", after: "after the entry" };

export interface RowProps<One> {
  value: One;
  name: string;
  concepts: Concept[];
  onChange: (value: One) => void;
  onRemove: () => void;
}

export function EventRow({ value, name, concepts, onChange, onRemove }: RowProps<Happened>): React.JSX.Element {
  return (
    <li className="flip-row">
      <Choice
        label={`${name}: kind`}
        value={value.kind}
        options={EVENT_KINDS.map(kind => [kind, WORDS[kind]])}
        onChange={kind => onChange({ kind: kind as EventKind, concepts: [] })}
      />
      <Named {...{ value, name, concepts, onChange }} />
      <Remove name={name} onRemove={onRemove} />
    </li>
  );
}

export function RuleRow(props: RowProps<AskedRule> & { hasEntry: boolean }): React.JSX.Element {
  const { value, name, concepts, onChange, hasEntry } = props;
  const times = whens(value.kind, hasEntry);
  return (
    <li className="flip-row">
      <Choice
        label={`${name}: with or without`}
        value={value.without ? "without" : "with"}
        options={[
          ["with", "with"],
          ["without", "without"],
        ]}
        onChange={word => onChange({ ...value, without: word === "without" })}
      />
      <Choice
        label={`${name}: kind`}
        value={value.kind}
        options={ruleKinds(hasEntry).map(kind => [kind, WORDS[kind]])}
        onChange={kind => onChange(ofKind(value, kind as RuleKind, hasEntry))}
      />
      <Named {...{ value, name, concepts, onChange }} />
      {times.length > 1 && <Time value={value} name={name} times={times} onChange={onChange} />}
      <Remove name={name} onRemove={props.onRemove} />
    </li>
  );
}

/** What it is about, by names of the catalogue, and the range of a value. */
function Named<One extends Happened | AskedRule>(props: {
  value: One;
  name: string;
  concepts: Concept[];
  onChange: (value: One) => void;
}): React.JSX.Element {
  const { value, name, onChange } = props;
  const domain = DOMAINS[value.kind];
  const among = props.concepts.filter(concept => concept.domain === domain);
  const ranged = value.kind === "measurement" || value.kind === "age";
  const bounds = among.find(concept => concept.concept_id === value.concepts[0]);
  return (
    <>
      {domain !== undefined && (
        <ConceptPicker
          label={`${name}: ${WORDS[value.kind]}`}
          concepts={among}
          chosen={value.concepts}
          one={value.kind === "measurement"}
          onChange={concepts => onChange({ ...value, concepts })}
        />
      )}
      {value.kind === "image" && <span className="flip-small">of any kind</span>}
      {ranged && (
        <span className="flip-range">
          <Figure
            label={`${name}: from`}
            hint={bounds?.low}
            value={value.low}
            onChange={low => onChange(set(value, "low", low))}
          />
          <span aria-hidden="true">to</span>
          <Figure
            label={`${name}: to`}
            hint={bounds?.high}
            value={value.high}
            onChange={high => onChange(set(value, "high", high))}
          />
          <span className="flip-small">{value.kind === "age" ? "years" : bounds?.unit}</span>
        </span>
      )}
    </>
  );
}

function Time(props: {
  value: AskedRule;
  name: string;
  times: When[];
  onChange: (value: AskedRule) => void;
}): React.JSX.Element {
  const { value, name, onChange } = props;
  const ofTime = (when: When): AskedRule => {
    const { days, ...rest } = value;
    return when === "any" || days === undefined ? { ...rest, when } : { ...rest, when, days };
  };
  return (
    <span className="flip-range">
      <Choice
        label={`${name}: when`}
        value={value.when}
        options={props.times.map(when => [when, WHENS[when]])}
        onChange={when => onChange(ofTime(when as When))}
      />
      {value.when !== "any" && (
        <>
          <span className="flip-small">by at most</span>
          <Figure label={`${name}: days`} value={value.days} onChange={days => onChange(set(value, "days", days))} />
          <span className="flip-small">days</span>
        </>
      )}
    </span>
  );
}

/** The record with a figure, or without it where it was emptied. */
function set<One extends object>(value: One, field: string, figure: number | undefined): One {
  const { [field]: _, ...rest } = value as Record<string, unknown>;
  return (figure === undefined ? rest : { ...rest, [field]: figure }) as One;
}

function Figure(props: {
  label: string;
  hint?: number | null | undefined;
  value: number | undefined;
  onChange: (value: number | undefined) => void;
}): React.JSX.Element {
  return (
    <input
      type="number"
      step="any"
      aria-label={props.label}
      placeholder={props.hint?.toString() ?? ""}
      value={props.value ?? ""}
      onChange={event => props.onChange(event.target.value === "" ? undefined : event.target.valueAsNumber)}
    />
  );
}

export function Choice(props: {
  label: string;
  value: string;
  options: [string, string][];
  onChange: (value: string) => void;
}): React.JSX.Element {
  return (
    <select aria-label={props.label} value={props.value} onChange={event => props.onChange(event.target.value)}>
      {props.options.map(([value, words]) => (
        <option key={value} value={value}>
          {words}
        </option>
      ))}
    </select>
  );
}

function Remove({ name, onRemove }: { name: string; onRemove: () => void }): React.JSX.Element {
  return (
    <Button onClick={onRemove} label={`Remove ${name.toLowerCase()}`}>
      ✕
    </Button>
  );
}
