/** New notebooks from a template. */

import { PathExt } from "@jupyterlab/coreutils";
import { type INotebookTracker, NotebookActions } from "@jupyterlab/notebook";
import type { Surroundings } from "./commands.ts";

export interface Template {
  label: string;
  caption: string;
}

export const TEMPLATES: Readonly<Record<string, Template>> = {
  "first-model": { label: "First federated model", caption: "A notebook that trains a model at the project's Trusts" },
  cohort: { label: "Count a cohort", caption: "A notebook that says who something is about, and counts them" },
  statistics: { label: "Statistics", caption: "A notebook that describes a cohort" },
  training_report: { label: "Training report", caption: "A dashboard: how a training went, and what came of it" },
  model_card: { label: "Model card", caption: "A dashboard: what a model is for, how good it is, and its limits" },
  cohort_report: { label: "Cohort report", caption: "A dashboard: who is in a cohort, as far as it may be told" },
  fairness_by_subgroup: { label: "Fairness by subgroup", caption: "A dashboard: whether a model serves groups alike" },
  monitoring: { label: "Monitoring", caption: "A dashboard: whether a model still does as well as it did" },
};

/** Put a template beside what the file browser shows, under a name that is free, and open it. */
export async function newNotebook({ app, browsers, server }: Surroundings, template: string): Promise<void> {
  const { contents } = app.serviceManager;
  const content = await server.template(template);
  const folder = browsers?.tracker.currentWidget?.model.path ?? "";
  const made = await contents.newUntitled({ path: folder, type: "notebook" });
  const path = await freePath(app, PathExt.join(PathExt.dirname(made.path), template));
  const named = await contents.rename(made.path, path);
  await contents.save(named.path, { type: "notebook", format: "json", content });
  await app.commands.execute("docmanager:open", { path: named.path });
}

async function freePath(app: Surroundings["app"], start: string): Promise<string> {
  const { contents } = app.serviceManager;
  const folder = await contents.get(PathExt.dirname(start), { content: true });
  const taken = new Set((folder.content as { path: string }[]).map(one => one.path));
  for (let number = 1; ; number += 1) {
    const path = number === 1 ? `${start}.ipynb` : `${start}-${number}.ipynb`;
    if (!taken.has(path)) return path;
  }
}

/** Put code into a new cell below the chosen one of the notebook at hand, and say what was done. */
export async function insertCode(notebooks: INotebookTracker | null, code: string): Promise<string> {
  const notebook = notebooks?.currentWidget?.content;
  if (!notebook) {
    await navigator.clipboard.writeText(code);
    return "No notebook is open: copied instead.";
  }
  NotebookActions.insertBelow(notebook);
  notebook.activeCell?.model.sharedModel.setSource(code);
  return `Inserted into ${notebooks?.currentWidget?.title.label ?? "the notebook"}.`;
}
