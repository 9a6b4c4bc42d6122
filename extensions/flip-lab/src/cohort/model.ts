/** A cohort as it is clicked together, as the workspace's server takes it. */

export type EventKind = "condition" | "measurement" | "drug" | "procedure" | "observation" | "image";
export type RuleKind = EventKind | "age" | "sex";
export type When = "any" | "before" | "after";

export interface Happened {
  kind: EventKind;
  concepts: number[];
  low?: number;
  high?: number;
}

export interface AskedRule {
  kind: RuleKind;
  concepts: number[];
  low?: number;
  high?: number;
  without: boolean;
  when: When;
  days?: number;
}

export interface AskedCohort {
  entry: Happened[];
  which: "first" | "last" | "all";
  rules: AskedRule[];
  epsilon: number;
}

export const EMPTY: AskedCohort = { entry: [], which: "first", rules: [], epsilon: 0.5 };

export const EVENT_KINDS: readonly EventKind[] = [
  "condition",
  "measurement",
  "drug",
  "procedure",
  "observation",
  "image",
];

/** The catalogue's domain of each kind that is chosen by name. */
export const DOMAINS: Partial<Record<RuleKind, string>> = {
  condition: "Condition",
  measurement: "Measurement",
  drug: "Drug",
  procedure: "Procedure",
  observation: "Observation",
  sex: "Gender",
};

/** Which kinds a rule may have: some are asked for at a time only, which needs a day of entry. */
export function ruleKinds(hasEntry: boolean): RuleKind[] {
  const always: RuleKind[] = ["condition", "measurement", "age", "sex"];
  return hasEntry ? [...always, "drug", "procedure", "observation", "image"] : always;
}

/** When a rule of this kind may hold. */
export function whens(kind: RuleKind, hasEntry: boolean): When[] {
  if (kind === "age" || kind === "sex" || !hasEntry) return ["any"];
  return kind === "condition" || kind === "measurement" ? ["any", "before", "after"] : ["before", "after"];
}

export function newRule(kind: RuleKind, hasEntry: boolean): AskedRule {
  const rule: AskedRule = { kind, concepts: [], without: false, when: whens(kind, hasEntry)[0] ?? "any" };
  return kind === "age" ? { ...rule, low: 18, high: 100 } : rule;
}

/** The rule with another kind: what does not belong to that kind is dropped. */
export function ofKind(rule: AskedRule, kind: RuleKind, hasEntry: boolean): AskedRule {
  const made = newRule(kind, hasEntry);
  return { ...made, without: rule.without };
}

/** The cohort without its entry: rules about the day of entry hold at any time, or go. */
export function withoutEntry(cohort: AskedCohort): AskedCohort {
  const kinds = ruleKinds(false);
  const rules = cohort.rules.filter(rule => kinds.includes(rule.kind)).map(({ days: _, ...rule }) => rule);
  return { ...cohort, entry: [], rules: rules.map(rule => ({ ...rule, when: "any" as const })) };
}

/** Whether everything that is begun is also filled in. */
export function isWhole(cohort: AskedCohort): boolean {
  return cohort.entry.every(happened => isFilled(happened, false)) && cohort.rules.every(rule => isFilled(rule, true));
}

function isFilled(one: Happened | AskedRule, isRule: boolean): boolean {
  const ranged = one.low !== undefined && one.high !== undefined && one.low <= one.high;
  const half = (one.low === undefined) !== (one.high === undefined);
  if (one.kind === "age") return ranged;
  if (one.kind === "image") return true;
  if (one.concepts.length === 0 || half) return false;
  const needsRange = isRule && one.kind === "measurement" && (one as AskedRule).when === "any";
  return ranged || (!needsRange && one.low === undefined);
}
