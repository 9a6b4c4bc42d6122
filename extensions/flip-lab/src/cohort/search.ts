import type { Concept } from "../records.ts";
import { plural } from "../words.ts";

const MOST_SHOWN = 40;

/** Concepts whose name has every word of a text, those that begin with it first. */
export function found(concepts: Concept[], text: string): Concept[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const named = concepts.map(concept => ({ concept, name: concept.name.toLowerCase() }));
  const hits = named.filter(({ name }) => words.every(word => name.includes(word)));
  const first = words[0] ?? "";
  hits.sort((a, b) => Number(b.name.startsWith(first)) - Number(a.name.startsWith(first)));
  return hits.slice(0, MOST_SHOWN).map(({ concept }) => concept);
}

/** How many persons have it, where Trusts tell. */
export function persons(concept: Concept): string {
  if (concept.persons !== null) return `about ${plural(concept.persons, "person", "persons")}`;
  return `at ${plural(concept.trusts.length, "Trust")}`;
}
