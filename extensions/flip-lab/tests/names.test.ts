import assert from "node:assert/strict";
import { test } from "node:test";
import { found, persons } from "../src/cohort/search.ts";
import { nameOf } from "../src/leaving/names.ts";
import type { Concept } from "../src/records.ts";

const concept = (name: string, changes: Partial<Concept> = {}): Concept => ({
  ...{
    concept_id: name.length,
    name,
    domain: "Condition",
    unit: "",
    low: null,
    high: null,
    trusts: ["a"],
    persons: null,
  },
  ...changes,
});

test("a file's name becomes a dashboard's", () => {
  assert.equal(nameOf("results/My Report (2).ipynb"), "my-report-2");
  assert.equal(nameOf("--x--.ipynb"), "x");
  assert.equal(nameOf(`${"a".repeat(39)} b.ipynb`), "a".repeat(39));
});

test("a search finds every word, beginnings first", () => {
  const all = ["Type 2 diabetes", "Diabetes insipidus", "Asthma"].map(name => concept(name));
  assert.deepEqual(
    found(all, "diab").map(one => one.name),
    ["Diabetes insipidus", "Type 2 diabetes"],
  );
  assert.deepEqual(
    found(all, "2 diabetes").map(one => one.name),
    ["Type 2 diabetes"],
  );
  assert.equal(found(all, "").length, 3);
});

test("persons are told where a Trust tells them", () => {
  assert.equal(persons(concept("x", { persons: 40 })), "about 40 persons");
  assert.equal(persons(concept("x")), "at 1 Trust");
});
