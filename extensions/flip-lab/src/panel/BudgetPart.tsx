import type React from "react";
import { Empty, Section, StateMark, Waiting } from "../parts.tsx";
import type { Budget } from "../records.ts";
import { day, epsilon, left, share } from "../words.ts";

const LOW = 0.2;

export function BudgetPart(props: { budget: Budget[] | undefined; denied: string | undefined }): React.JSX.Element {
  const { budget } = props;
  return (
    <Section title="Privacy budget" note="left at each Trust" denied={props.denied}>
      {budget === undefined && <Waiting words="Asking the hub …" />}
      {budget?.length === 0 && (
        <Empty>No Trust takes part yet. Their data stewards opt in once the project is approved.</Empty>
      )}
      <ul className="flip-list">
        {budget?.map(one => (
          <TrustRow key={one.trust} budget={one} />
        ))}
      </ul>
    </Section>
  );
}

function TrustRow({ budget }: { budget: Budget }): React.JSX.Element {
  const known = budget.consent === "opted_in" && budget.epsilon !== null;
  return (
    <li className="flip-trust">
      <div className="flip-line">
        <span className="flip-name">
          <StateMark state={budget.online ? "approved" : "away"} words={budget.title} />
        </span>
        <span className={budget.online ? "flip-unseen" : "flip-small"}>{budget.online ? "online" : "offline"}</span>
      </div>
      {known && <Meter budget={budget} />}
      <div className="flip-line flip-small">
        {known ? <span>{left(budget)}</span> : <StateMark state={budget.consent} />}
        {budget.until && known && <span>until {day(budget.until)}</span>}
      </div>
    </li>
  );
}

export function Meter({ budget }: { budget: Budget }): React.JSX.Element {
  const part = share(budget);
  return (
    // biome-ignore lint/a11y/useSemanticElements: a native meter cannot take the theme's colours
    <div
      className="flip-meter"
      role="meter"
      aria-label={`Privacy budget at ${budget.title}`}
      aria-valuemin={0}
      aria-valuemax={budget.epsilon ?? 0}
      aria-valuenow={Number(epsilon(budget.left ?? 0))}
      aria-valuetext={left(budget)}
    >
      <div className={part < LOW ? "flip-fill flip-fill-low" : "flip-fill"} style={{ width: `${part * 100}%` }} />
    </div>
  );
}
