import assert from "node:assert/strict";
import { test } from "node:test";
import { curvePath } from "../src/curve.ts";
import type { Budget, Job } from "../src/records.ts";
import { ago, announcement, epsilon, left, share, tightest } from "../src/words.ts";

const budget = (trust: string, spent: number, changes: Partial<Budget> = {}): Budget => ({
  ...{ trust, title: trust, online: true, consent: "opted_in", until: null, epsilon: 10, spent, left: 10 - spent },
  ...changes,
});

const job = (id: string, round: number, changes: Partial<Job> = {}): Job => ({
  ...{ id, kind: "train", state: "executing", headline: `round ${round}`, reason: "", ended: false, failed: false },
  ...{ round, rounds: 8, share: round / 8, latest: "", curve: [], trusts: [], by: "ada", submitted: "" },
  ...changes,
});

test("figures of epsilon are short", () => {
  assert.deepEqual([0, 0.5, 1.234, 9.999, 12, 10].map(epsilon), ["0", "0.5", "1.23", "10", "12", "10"]);
});

test("the tightest budget is that of a Trust that takes part", () => {
  const paused = budget("c", 9.9, { consent: "paused" });
  const unknown = budget("d", 0, { epsilon: null, left: null });
  assert.equal(tightest([budget("a", 2), budget("b", 7), paused, unknown])?.trust, "b");
  assert.equal(tightest([unknown]), undefined);
  assert.equal(left(unknown), "no budget yet");
  assert.equal(share(budget("a", 12)), 0);
});

test("a screen reader is told the ends, and each quarter of the way", () => {
  assert.equal(announcement([job("a", 1)], [job("a", 1)]), "");
  assert.equal(announcement([job("a", 0)], [job("a", 1)]), "");
  assert.equal(announcement([job("a", 1)], [job("a", 2)]), "round 2.");
  assert.equal(announcement([job("a", 2)], [job("a", 2, { state: "cancelled", headline: "cancelled" })]), "cancelled.");
  assert.equal(announcement([], [job("a", 8, { ended: true })]), "");
});

test("times are told as people say them", () => {
  const now = Date.parse("2026-03-01T12:00:00Z");
  const at = (minutes: number) => ago(new Date(now - minutes * 60_000).toISOString(), now);
  assert.deepEqual([0, 5, 125].map(at), ["just now", "5 min ago", "2 h ago"]);
});

test("a curve fills its box", () => {
  assert.equal(curvePath([1], 10, 10), "");
  assert.equal(curvePath([0, 1, 0.5], 10, 10), "M0.0 10.0L5.0 0.0L10.0 5.0");
  assert.equal(curvePath([3, 3], 10, 10), "M0.0 10.0L10.0 10.0");
});
