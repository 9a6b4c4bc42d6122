/** Small parts that every view is made of. */

import React from "react";
import type { Problem } from "./hooks.ts";
import { stateWords, tone } from "./words.ts";

export function Section(props: {
  title: string;
  note?: string | undefined;
  denied?: string | undefined;
  children: React.ReactNode;
}): React.JSX.Element {
  const id = React.useId();
  return (
    <section className="flip-section" aria-labelledby={id}>
      <h3 id={id} className="flip-heading">
        {props.title}
        {props.note && <span className="flip-note"> {props.note}</span>}
      </h3>
      {props.denied ? <Empty>{props.denied}</Empty> : props.children}
    </section>
  );
}

export function StateMark({ state, words }: { state: string; words?: string }): React.JSX.Element {
  return <span className={`flip-state flip-tone-${tone(state)}`}>{words ?? stateWords(state)}</span>;
}

export function Empty({ children }: { children: React.ReactNode }): React.JSX.Element {
  return <p className="flip-empty">{children}</p>;
}

export function Waiting({ words }: { words: string }): React.JSX.Element {
  return (
    <p className="flip-empty" role="status">
      <span className="flip-spinner" aria-hidden="true" />
      {words}
    </p>
  );
}

/** What went wrong, and what to do next. */
export function ProblemBox({ problem }: { problem: Problem | undefined }): React.JSX.Element | null {
  if (problem === undefined) return null;
  return (
    <div className="flip-problem" role="alert">
      <strong>{problem.message}</strong>
      {problem.mend && <p>{problem.mend}</p>}
      {problem.items.length > 0 && (
        <ul>
          {problem.items.map(item => (
            <li key={item}>{item}</li>
          ))}
        </ul>
      )}
    </div>
  );
}

export function Button(props: {
  children: React.ReactNode;
  onClick: () => void;
  kind?: "main" | "quiet" | "grave";
  disabled?: boolean;
  label?: string;
  autoFocus?: boolean;
}): React.JSX.Element {
  const focus = React.useCallback((node: HTMLButtonElement | null) => node?.focus(), []);
  return (
    <button
      type="button"
      ref={props.autoFocus ? focus : null}
      className={`flip-button flip-button-${props.kind ?? "quiet"}`}
      disabled={props.disabled}
      aria-label={props.label}
      onClick={props.onClick}
    >
      {props.children}
    </button>
  );
}

/** Asks once more before something that cannot be taken back; Escape keeps things as they are. */
export function Confirm(props: {
  question: string;
  yes: string;
  no: string;
  busy: boolean;
  onYes: () => void;
  onNo: () => void;
}): React.JSX.Element {
  const id = React.useId();
  const onKeyDown = (event: React.KeyboardEvent): void => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    props.onNo();
  };
  return (
    <div className="flip-confirm" role="alertdialog" aria-labelledby={id} onKeyDown={onKeyDown}>
      <p id={id}>{props.question}</p>
      <div className="flip-buttons">
        <Button kind="grave" onClick={props.onYes} disabled={props.busy}>
          {props.yes}
        </Button>
        <Button onClick={props.onNo} autoFocus>
          {props.no}
        </Button>
      </div>
    </div>
  );
}

export function Field(props: {
  label: string;
  hint?: string;
  children: (id: string) => React.ReactNode;
}): React.JSX.Element {
  const id = React.useId();
  return (
    <div className="flip-field">
      <label htmlFor={id}>{props.label}</label>
      {props.hint && <p className="flip-hint">{props.hint}</p>}
      {props.children(id)}
    </div>
  );
}
