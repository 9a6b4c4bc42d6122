/** A curve as an SVG path. */

/** The path of some values in a box, the first at its left edge and the last at its right; empty under two values. */
export function curvePath(values: readonly number[], width: number, height: number): string {
  if (values.length < 2) return "";
  const low = Math.min(...values);
  const span = Math.max(...values) - low || 1;
  return values
    .map((value, place) => {
      const x = (place / (values.length - 1)) * width;
      const y = height - ((value - low) / span) * height;
      return `${place === 0 ? "M" : "L"}${x.toFixed(1)} ${y.toFixed(1)}`;
    })
    .join("");
}
