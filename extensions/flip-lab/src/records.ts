/** What the workspace's own server tells of the project. */

export interface Project {
  id: string;
  title: string;
  summary: string;
  state: string;
  until: string;
  notices: string[];
}

export interface Budget {
  trust: string;
  title: string;
  online: boolean;
  consent: string;
  until: string | null;
  epsilon: number | null;
  spent: number;
  left: number | null;
}

export interface Job {
  id: string;
  kind: string;
  state: string;
  headline: string;
  reason: string;
  ended: boolean;
  failed: boolean;
  round: number;
  rounds: number;
  share: number;
  latest: string;
  curve: number[];
  trusts: { trust: string; words: string }[];
  by: string;
  submitted: string;
}

export type Verdict = "pass" | "flag" | "block";

export interface ReleaseFile {
  path: string;
  title: string;
  state: string;
  verdict: Verdict | null;
  reason: string;
  decided: number;
  leaves: boolean;
}

export interface Release {
  id: string;
  purpose: string;
  by: string;
  requested: string;
  checking: boolean;
  open: boolean;
  files: ReleaseFile[];
}

export interface Dashboard {
  name: string;
  state: string;
  address: string;
  by: string;
  published: string;
}

/** Whether the hub answers, and if not, what is wrong and what to do next. */
export interface HubState {
  here: boolean;
  message: string;
  mend: string;
}

export interface Parts {
  hub: HubState;
  project: Project;
  budget: Budget[];
  jobs: Job[];
  releases: Release[];
  dashboards: Dashboard[];
  /** Parts that this person may not see, each with the reason. */
  denied: Partial<Record<keyof Parts, string>>;
}

/** What is known so far: a part is missing until it has been told. */
export type State = Partial<Parts>;

export interface Finding {
  rule: string;
  severity: "note" | "flag" | "block";
  message: string;
  mend: string;
  cells: number;
}

export interface Examined {
  path: string;
  kind: string | null;
  bytes: number;
  verdict: Verdict;
  findings: Finding[];
}

export interface Concept {
  concept_id: number;
  name: string;
  domain: string;
  unit: string;
  low: number | null;
  high: number | null;
  trusts: string[];
  persons: number | null;
}

export interface TrustPrice {
  trust: string;
  after: number | null;
  cap: number | null;
  admitted: boolean;
  why_not: string;
}

export interface Violation {
  rule: string;
  where: string;
  message: string;
  mend: string;
}

export interface Description {
  words: string[];
  code: string;
  prices: TrustPrice[];
  notes: string[];
  problems: Violation[];
}

export interface Counted {
  counts: Record<string, number | null>;
  total: number | null;
  epsilon: number;
}
