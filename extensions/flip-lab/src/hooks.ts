import React from "react";
import type { Live } from "./live.ts";
import type { State } from "./records.ts";
import { RefusedError } from "./server.ts";

/** The project as it is now; drawn anew after each change. */
export function useLive(live: Live): State {
  return React.useSyncExternalStore(live.subscribe, live.state);
}

export interface Problem {
  message: string;
  mend: string;
  items: string[];
}

export function problemOf(error: unknown): Problem {
  if (error instanceof RefusedError) {
    const items = error.violations.map(found => [found.where, found.message, found.mend].filter(Boolean).join(" — "));
    return { message: error.message, mend: error.mend, items };
  }
  return {
    message: "The workspace does not answer.",
    mend: "Look at the panel's first line, and try again.",
    items: [],
  };
}

/** Something that is asked of the server: whether it is under way, and what went wrong. */
export interface Asking {
  busy: boolean;
  problem: Problem | undefined;
  /** Ask; answers undefined where it was refused, which `problem` then tells. */
  ask: <Answer>(question: () => Promise<Answer>) => Promise<Answer | undefined>;
}

export function useAsking(): Asking {
  const [busy, setBusy] = React.useState(false);
  const [problem, setProblem] = React.useState<Problem>();
  const ask = React.useCallback(async <Answer>(question: () => Promise<Answer>): Promise<Answer | undefined> => {
    setBusy(true);
    setProblem(undefined);
    try {
      return await question();
    } catch (error) {
      setProblem(problemOf(error));
      return undefined;
    } finally {
      setBusy(false);
    }
  }, []);
  return { busy, problem, ask };
}
