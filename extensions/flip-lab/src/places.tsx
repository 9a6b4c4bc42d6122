/** Where in JupyterLab the parts stand. */

import type { ILabShell, ILayoutRestorer } from "@jupyterlab/application";
import { ReactWidget } from "@jupyterlab/apputils";
import type { IStatusBar } from "@jupyterlab/statusbar";
import { flipIcon } from "./icon.ts";
import type { Live } from "./live.ts";
import { type Doing, Panel } from "./panel/Panel.tsx";
import { StatusItem } from "./StatusItem.tsx";
import type { Server } from "./server.ts";

export const PANEL = "flip-panel";

export function addPanel(
  shell: ILabShell,
  restorer: ILayoutRestorer | null,
  live: Live,
  server: Server,
  doing: Doing,
): void {
  const panel = ReactWidget.create(<Panel live={live} server={server} doing={doing} />);
  panel.id = PANEL;
  panel.title.icon = flipIcon;
  panel.title.caption = "FLIP: project, privacy budget, jobs and releases";
  panel.node.setAttribute("role", "region");
  panel.node.setAttribute("aria-label", "FLIP project");
  panel.addClass("flip-widget");
  shell.add(panel, "right", { rank: 50, type: "FLIP" });
  restorer?.add(panel, PANEL);
  void shell.restored.then(layout => {
    // somebody who has never been here sees it; whoever closed it has it closed
    if (layout.fresh) shell.activateById(PANEL);
  });
}

export function addStatusItem(statusBar: IStatusBar, live: Live, open: () => void): void {
  statusBar.registerStatusItem("flip:budget", {
    item: ReactWidget.create(<StatusItem live={live} open={open} />),
    align: "right",
    rank: 60,
    isActive: () => true,
  });
}
