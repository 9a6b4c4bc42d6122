/** Where in JupyterLab the parts stand. */

import type { ILabShell, ILayoutRestorer } from "@jupyterlab/application";
import { MainAreaWidget, ReactWidget } from "@jupyterlab/apputils";
import type { IStatusBar } from "@jupyterlab/statusbar";
import { Builder } from "./cohort/Builder.tsx";
import type { Surroundings } from "./commands.ts";
import { openDialog } from "./dialog.tsx";
import { cohortIcon, flipIcon } from "./icon.ts";
import { PublishDialog } from "./leaving/PublishDialog.tsx";
import { type Leaving, ReleaseDialog } from "./leaving/ReleaseDialog.tsx";
import type { Live } from "./live.ts";
import { insertCode } from "./notebooks.ts";
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

const BUILDER = "flip-cohort-builder";

/** The cohort builder as a tab; the one that is open already, where there is one. */
export function openBuilder({ shell, live, server, notebooks }: Surroundings): void {
  if (![...shell.widgets("main")].some(widget => widget.id === BUILDER)) {
    const content = ReactWidget.create(
      <Builder live={live} server={server} insert={code => insertCode(notebooks, code)} />,
    );
    content.addClass("flip-builder");
    const tab = new MainAreaWidget({ content });
    tab.id = BUILDER;
    tab.title.label = "Cohort builder";
    tab.title.icon = cohortIcon;
    tab.title.closable = true;
    shell.add(tab, "main", { type: "FLIP" });
  }
  shell.activateById(BUILDER);
}

export function openRelease(leaving: Omit<Leaving, "close">): void {
  openDialog("Request release", close => <ReleaseDialog {...leaving} close={close} />);
}

export function openPublish(leaving: Omit<Leaving, "close">): void {
  openDialog("Publish dashboard", close => <PublishDialog {...leaving} close={close} />);
}
