import { LabIcon } from "@jupyterlab/ui-components";

/** Four places around one that they share nothing but sums with. */
const SVG = `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">
<g class="jp-icon3" fill="none" stroke="#616161" stroke-width="1.6">
<path d="M8 8l2 2M16 8l-2 2M8 16l2-2M16 16l-2-2"/><circle cx="6" cy="6" r="2.6"/><circle cx="18" cy="6" r="2.6"/>
<circle cx="6" cy="18" r="2.6"/><circle cx="18" cy="18" r="2.6"/></g>
<circle class="jp-icon3" fill="#616161" cx="12" cy="12" r="3"/></svg>`;

export const flipIcon = new LabIcon({ name: "flip:icon", svgstr: SVG });

const COHORT_SVG = `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">
<g class="jp-icon3" fill="none" stroke="#616161" stroke-width="1.6">
<circle cx="9" cy="8" r="3"/><path d="M3.5 19c.4-3.4 2.600-5.300 5.500-5.300s5.100 1.900 5.500 5.300"/>
<path d="M14.500 5.300a3 3 0 0 1 0 5.400M16.600 14.200c2.200.7 3.500 2.400 3.900 4.800"/></g></svg>`;

export const cohortIcon = new LabIcon({ name: "flip:cohort", svgstr: COHORT_SVG });
