import type React from "react";
import { useLive } from "./hooks.ts";
import type { Live } from "./live.ts";
import { epsilon, left, share, tightest } from "./words.ts";

/** The tightest Trust's budget, in the status bar. */
export function StatusItem({ live, open }: { live: Live; open: () => void }): React.JSX.Element | null {
  const { budget, hub } = useLive(live);
  const least = tightest(budget ?? []);
  if (hub && !hub.here) {
    return (
      <button type="button" className="flip-status" onClick={open} title="The hub does not answer. Open the panel.">
        FLIP: hub away
      </button>
    );
  }
  if (least === undefined) return null;
  const words = `${left(least)} at ${least.title}, the least of the project's Trusts. Open the panel.`;
  return (
    <button type="button" className="flip-status" onClick={open} title={words} aria-label={words}>
      <span className="flip-status-meter" aria-hidden="true">
        <span style={{ width: `${share(least) * 100}%` }} />
      </span>
      <span aria-hidden="true">ε {epsilon(least.left ?? 0)} left</span>
    </button>
  );
}
