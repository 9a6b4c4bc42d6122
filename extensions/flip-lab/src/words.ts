/** Figures and states as people read them. */

import type { Budget, Job, Project } from "./records.ts";

export type Tone = "good" | "busy" | "wait" | "bad" | "quiet";

const TONES: Record<string, Tone> = {
  approved: "good",
  completed: "good",
  released: "good",
  opted_in: "good",
  pass: "good",
  executing: "busy",
  signed_off: "busy",
  submitted: "busy",
  requested: "wait",
  validated: "wait",
  checked: "wait",
  in_review: "wait",
  paused: "wait",
  none: "wait",
  flag: "wait",
  suspended: "bad",
  failed: "bad",
  rejected: "bad",
  blocked: "bad",
  block: "bad",
  withheld: "bad",
  revoked: "bad",
};

const STATES: Record<string, string> = {
  submitted: "handed in",
  validated: "waits for a reviewer",
  signed_off: "waits for its turn",
  executing: "running",
  opted_in: "taking part",
  none: "not opted in yet",
  left: "has left",
  requested: "asked for",
  checked: "waits for two checkers",
  in_review: "being reviewed",
};

/** The colour of a state's dot. Its word stands beside it, so that nothing hangs on a colour. */
export function tone(state: string): Tone {
  return TONES[state] ?? "quiet";
}

export function stateWords(state: string): string {
  return STATES[state] ?? state.replaceAll("_", " ");
}

export function epsilon(value: number): string {
  return Number(value.toPrecision(3)).toString();
}

export function day(instant: string): string {
  return new Date(instant).toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" });
}

/** How long ago something was, in a word or two. */
export function ago(instant: string, now: number = Date.now()): string {
  const minutes = Math.floor((now - new Date(instant).getTime()) / 60_000);
  if (minutes < 1) return "just now";
  if (minutes < 60) return `${minutes} min ago`;
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h ago`;
  return day(instant);
}

export function plural(count: number, one: string, many: string = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** What is left at a Trust, in words that a screen reader says too. */
export function left(budget: Budget): string {
  if (budget.epsilon === null || budget.left === null) return "no budget yet";
  return `ε ${epsilon(budget.left)} of ${epsilon(budget.epsilon)} left`;
}

/** The Trust with the smallest share of its budget left, among those that take part. */
export function tightest(budgets: Budget[]): Budget | undefined {
  const known = budgets.filter(budget => budget.consent === "opted_in" && budget.epsilon !== null);
  return known.sort((a, b) => share(a) - share(b))[0];
}

/** What is left of a budget, 0 to 1. */
export function share(budget: Budget): number {
  return budget.epsilon ? Math.min(Math.max((budget.left ?? 0) / budget.epsilon, 0), 1) : 0;
}

const QUARTERS = 4;

/** What a screen reader says when jobs have gone on: their ends and starts, and each quarter of the way. */
export function announcement(before: Job[], after: Job[]): string {
  const known = new Map(before.map(job => [job.id, job]));
  return after
    .filter(job => {
      const earlier = known.get(job.id);
      if (earlier === undefined) return before.length > 0 || !job.ended;
      return earlier.state !== job.state || quarter(earlier) !== quarter(job);
    })
    .map(job => `${job.headline}.`)
    .join(" ");
}

function quarter(job: Job): number {
  return Math.floor(job.share * QUARTERS);
}

export function isOpen(project: Project): boolean {
  return project.state === "approved" && new Date(project.until).getTime() > Date.now();
}
