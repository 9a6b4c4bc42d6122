import assert from "node:assert/strict";
import { test } from "node:test";
import { follow, Parser, type Told } from "../src/stream.ts";

test("events are whole however they are cut", () => {
  const text = "event: jobs\ndata: [1,\ndata: 2]\n\n: still here\n\nevent: hub\ndata: {}\n\n";
  for (const size of [1, 2, 7, text.length]) {
    const parser = new Parser();
    const found: Told[] = [];
    for (let at = 0; at < text.length; at += size) found.push(...parser.take(text.slice(at, at + size)));
    assert.deepEqual(found, [
      { event: "jobs", data: "[1,\n2]" },
      { event: "hub", data: "{}" },
    ]);
  }
});

test("a broken stream is opened again, after pauses that grow until something is told", async () => {
  const ended = new AbortController();
  const answers = [
    () => Promise.reject(new Error("no network")),
    () => Promise.resolve(new Response("", { status: 503 })),
    () => Promise.resolve(new Response("event: hub\ndata: 1\n\n")),
    () => Promise.reject(new Error("no network")),
  ];
  const [pauses, told, away]: [number[], string[], string[]] = [[], [], []];
  await follow({
    open: () => answers.shift()?.() ?? Promise.reject(new Error("none left")),
    tell: one => told.push(one.event),
    away: words => away.push(words),
    signal: ended.signal,
    sleep: async pause => {
      pauses.push(pause);
      if (answers.length === 0) ended.abort();
    },
  });
  assert.deepEqual(pauses, [1000, 2000, 1000, 2000]);
  assert.deepEqual(told, ["hub"]);
  assert.equal(away.length, 4);
});
