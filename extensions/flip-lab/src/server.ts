/** The workspace's own server: the only one that a page talks to. */

import { URLExt } from "@jupyterlab/coreutils";
import { ServerConnection } from "@jupyterlab/services";
import type { AskedCohort } from "./cohort/model.ts";
import type { Concept, Counted, Dashboard, Description, Examined, Release, Violation } from "./records.ts";

/** Who may fetch what is released. */
export type Audience = "project" | "signed-in" | "public";

export interface AskedFiles {
  files: string[];
  purpose: string;
  context: string;
  jobs: string[];
  audience: Audience;
  /** Of a notebook alone: the published dashboard that is released with it. */
  dashboard?: string;
}

/** A refusal, with its words: what is wrong, and what to do next. */
export class RefusedError extends Error {
  readonly mend: string;
  readonly violations: Violation[];

  constructor(message: string, mend: string, violations: Violation[] = []) {
    super(message);
    this.mend = mend;
    this.violations = violations;
  }
}

export class Server {
  private readonly settings: ServerConnection.ISettings;

  constructor(settings: ServerConnection.ISettings) {
    this.settings = settings;
  }

  stream(signal: AbortSignal): Promise<Response> {
    return ServerConnection.makeRequest(this.address("stream"), { signal, cache: "no-store" }, this.settings);
  }

  concepts(): Promise<Concept[]> {
    return this.ask("concepts");
  }

  describe(cohort: AskedCohort): Promise<Description> {
    return this.ask("cohorts/description", cohort);
  }

  count(cohort: AskedCohort): Promise<{ id: string }> {
    return this.ask("cohorts/count", cohort);
  }

  counts(job: string): Promise<Counted> {
    return this.ask(`jobs/${encodeURIComponent(job)}/counts`);
  }

  cancel(job: string): Promise<{ state: string }> {
    return this.ask(`jobs/${encodeURIComponent(job)}/cancel`, {});
  }

  check(asked: AskedFiles): Promise<Examined[]> {
    return this.ask("releases/checks", asked);
  }

  release(asked: AskedFiles): Promise<Release> {
    return this.ask("releases", asked);
  }

  publish(asked: { file: string; name: string; jobs: string[] }): Promise<Dashboard> {
    return this.ask("dashboards", asked);
  }

  template(name: string): Promise<object> {
    return this.ask(`templates/${encodeURIComponent(name)}`);
  }

  private address(path: string): string {
    return URLExt.join(this.settings.baseUrl, "flip", path);
  }

  private async ask<Answer>(path: string, body?: object): Promise<Answer> {
    const sent: RequestInit = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
    const response = await ServerConnection.makeRequest(this.address(path), sent, this.settings);
    const answer = await response.json().catch(() => ({}));
    if (response.ok) return answer as Answer;
    const message = answer.message ?? `The workspace answers ${response.status}.`;
    throw new RefusedError(message, answer.mend ?? "Try again in a moment.", answer.violations);
  }
}
