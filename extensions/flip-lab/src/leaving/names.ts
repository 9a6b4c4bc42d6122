const LONGEST = 40;

/** A name for addresses, out of a file's: lower case, digits and hyphens. */
export function nameOf(path: string): string {
  const stem = (path.split("/").at(-1) ?? "").replace(/\.[^.]*$/, "");
  const made = stem.toLowerCase().replace(/[^a-z0-9]+/g, "-");
  return made.slice(0, LONGEST).replace(/^-+|-+$/g, "");
}
