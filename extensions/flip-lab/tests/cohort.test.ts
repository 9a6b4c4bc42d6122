import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type AskedCohort,
  EMPTY,
  isWhole,
  newRule,
  ofKind,
  ruleKinds,
  whens,
  withoutEntry,
} from "../src/cohort/model.ts";

test("nothing asked is everybody, and whole", () => {
  assert.equal(isWhole(EMPTY), true);
});

test("a rule is whole when it names something, and a measurement when it has a range", () => {
  const asked = (rule: object): AskedCohort => ({ ...EMPTY, rules: [{ ...newRule("condition", false), ...rule }] });
  assert.equal(isWhole(asked({})), false);
  assert.equal(isWhole(asked({ concepts: [1] })), true);
  assert.equal(isWhole(asked({ kind: "measurement", concepts: [1] })), false);
  assert.equal(isWhole(asked({ kind: "measurement", concepts: [1], low: 1, high: 2 })), true);
  assert.equal(isWhole(asked({ kind: "measurement", concepts: [1], low: 3, high: 2 })), false);
  assert.equal(isWhole(asked({ kind: "measurement", concepts: [1], low: 3, when: "before" })), false);
  assert.equal(isWhole(asked({ kind: "age", low: 18 })), false);
});

test("what happens at a time needs a day of entry", () => {
  assert.equal(ruleKinds(false).includes("drug"), false);
  assert.equal(ruleKinds(true).includes("drug"), true);
  assert.deepEqual(whens("drug", true), ["before", "after"]);
  assert.deepEqual(whens("age", true), ["any"]);
  assert.deepEqual(whens("condition", false), ["any"]);
});

test("without an entry, rules about its day hold at any time or go", () => {
  const rules = [
    { ...newRule("condition", true), when: "before" as const, days: 30, concepts: [1] },
    { ...newRule("drug", true), concepts: [2] },
  ];
  const left = withoutEntry({ ...EMPTY, entry: [{ kind: "condition", concepts: [3] }], rules });
  assert.deepEqual(left.entry, []);
  assert.deepEqual(left.rules, [{ kind: "condition", concepts: [1], without: false, when: "any" }]);
});

test("another kind drops what does not belong to it", () => {
  const rule = { ...newRule("measurement", false), concepts: [1], low: 1, high: 2, without: true };
  assert.deepEqual(ofKind(rule, "sex", false), { kind: "sex", concepts: [], without: true, when: "any" });
});
