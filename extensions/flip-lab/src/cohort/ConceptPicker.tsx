import React from "react";
import type { Concept } from "../records.ts";
import { found, persons } from "./search.ts";

/** Chooses concepts by name: what is chosen stands before the field, each with a way to take it out. */
export function ConceptPicker(props: {
  label: string;
  concepts: Concept[];
  chosen: number[];
  one?: boolean;
  onChange: (chosen: number[]) => void;
}): React.JSX.Element {
  const { chosen, concepts, onChange } = props;
  const named = new Map(concepts.map(concept => [concept.concept_id, concept.name]));
  const full = props.one === true && chosen.length > 0;
  return (
    <div className="flip-picker">
      {chosen.map(number => (
        <span key={number} className="flip-chip">
          {named.get(number) ?? number}
          <button
            type="button"
            aria-label={`Take out ${named.get(number) ?? number}`}
            onClick={() => onChange(chosen.filter(one => one !== number))}
          >
            ✕
          </button>
        </span>
      ))}
      {!full && (
        <Search
          label={props.label}
          concepts={concepts.filter(concept => !chosen.includes(concept.concept_id))}
          onPick={concept => onChange([...chosen, concept.concept_id])}
        />
      )}
    </div>
  );
}

/** A combobox with a list box (WAI-ARIA Authoring Practices 1.2): arrows move, Enter takes, Escape closes. */
function Search(props: { label: string; concepts: Concept[]; onPick: (concept: Concept) => void }): React.JSX.Element {
  const id = React.useId();
  const [text, setText] = React.useState("");
  const [open, setOpen] = React.useState(false);
  const [at, setAt] = React.useState(0);
  const shown = open ? found(props.concepts, text) : [];
  const pick = (concept: Concept | undefined): void => {
    if (concept === undefined) return;
    props.onPick(concept);
    setText("");
    setAt(0);
  };
  const onKeyDown = (event: React.KeyboardEvent): void => {
    const moves: Record<string, number> = { ArrowDown: 1, ArrowUp: -1 };
    const move = moves[event.key];
    if (move !== undefined) {
      event.preventDefault();
      setOpen(true);
      if (shown.length > 0) setAt((at + move + shown.length) % shown.length);
    } else if (event.key === "Enter" && open) {
      event.preventDefault();
      pick(shown[at]);
    } else if (event.key === "Escape" && open) {
      event.stopPropagation();
      setOpen(false);
    }
  };
  return (
    <div className="flip-search">
      <input
        type="text"
        role="combobox"
        aria-label={props.label}
        aria-expanded={shown.length > 0}
        aria-controls={`${id}list`}
        aria-autocomplete="list"
        aria-activedescendant={shown[at] ? `${id}${at}` : undefined}
        placeholder="Search the catalogue …"
        value={text}
        onChange={event => {
          setText(event.target.value);
          setOpen(true);
          setAt(0);
        }}
        onFocus={() => setOpen(true)}
        onBlur={() => setOpen(false)}
        onKeyDown={onKeyDown}
      />
      <div id={`${id}list`} className="flip-found" role="listbox" aria-label={props.label} hidden={shown.length === 0}>
        {shown.map((concept, place) => (
          <Option
            key={concept.concept_id}
            id={`${id}${place}`}
            concept={concept}
            selected={place === at}
            onPick={() => pick(concept)}
          />
        ))}
      </div>
    </div>
  );
}

function Option(props: { id: string; concept: Concept; selected: boolean; onPick: () => void }): React.JSX.Element {
  const { concept } = props;
  return (
    // biome-ignore lint/a11y/useFocusableInteractive: the field keeps the focus and names the option
    // biome-ignore lint/a11y/useKeyWithClickEvents: the field takes the keys
    <div
      id={props.id}
      role="option"
      aria-selected={props.selected}
      onMouseDown={event => event.preventDefault()}
      onClick={props.onPick}
    >
      <span>{concept.name}</span>
      <span className="flip-small">{[concept.unit, persons(concept)].filter(Boolean).join(", ")}</span>
    </div>
  );
}
