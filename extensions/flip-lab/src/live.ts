/** The project as it is now, for every part of the page that shows it. */

import type { Parts, State } from "./records.ts";
import { type Following, follow, type Told } from "./stream.ts";

const AWAY = "The workspace does not answer. It is asked again; your work in notebooks is not touched.";

export class Live {
  private now: State = {};
  private readonly listeners = new Set<() => void>();
  private readonly ended = new AbortController();

  /** The state; another object after each change. */
  readonly state = (): State => this.now;

  /** Call back after each change, until the returned function is called. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** Follow the workspace's stream until `dispose`. */
  start(open: Following["open"]): void {
    void follow({
      open,
      tell: told => this.take(told),
      away: words => this.set("hub", { here: false, message: words, mend: AWAY }),
      signal: this.ended.signal,
    });
  }

  take(told: Told): void {
    this.set(told.event as keyof Parts, JSON.parse(told.data));
  }

  dispose(): void {
    this.ended.abort();
    this.listeners.clear();
  }

  private set<Part extends keyof Parts>(part: Part, content: Parts[Part]): void {
    this.now = { ...this.now, [part]: content };
    for (const listener of this.listeners) listener();
  }
}
