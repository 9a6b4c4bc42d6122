import { ILabShell, ILayoutRestorer, type JupyterFrontEnd, type JupyterFrontEndPlugin } from "@jupyterlab/application";
import { ICommandPalette } from "@jupyterlab/apputils";
import { IFileBrowserFactory } from "@jupyterlab/filebrowser";
import { ILauncher } from "@jupyterlab/launcher";
import { IMainMenu } from "@jupyterlab/mainmenu";
import { INotebookTracker } from "@jupyterlab/notebook";
import { IStatusBar } from "@jupyterlab/statusbar";
import { addCommands } from "./commands.ts";
import { Live } from "./live.ts";
import { addPanel, addStatusItem } from "./places.tsx";
import { Server } from "./server.ts";

/** The panel, its commands, and everything that opens from them. */
const plugin: JupyterFrontEndPlugin<void> = {
  id: "@flip/lab:plugin",
  description: "FLIP: the project, its privacy budget, jobs and releases; a cohort builder.",
  autoStart: true,
  requires: [ILabShell],
  optional: [ILayoutRestorer, ICommandPalette, ILauncher, IMainMenu, IFileBrowserFactory, INotebookTracker, IStatusBar],
  activate: (
    app: JupyterFrontEnd,
    shell: ILabShell,
    restorer: ILayoutRestorer | null,
    palette: ICommandPalette | null,
    launcher: ILauncher | null,
    menu: IMainMenu | null,
    browsers: IFileBrowserFactory | null,
    notebooks: INotebookTracker | null,
    statusBar: IStatusBar | null,
  ): void => {
    const server = new Server(app.serviceManager.serverSettings);
    const live = new Live();
    live.start(signal => server.stream(signal));
    const commands = addCommands({ app, shell, server, live, palette, launcher, menu, browsers, notebooks });
    addPanel(shell, restorer, live, server, commands);
    if (statusBar) addStatusItem(statusBar, live, commands.openPanel);
  },
};

export default plugin;
