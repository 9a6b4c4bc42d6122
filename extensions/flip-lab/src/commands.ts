/** Commands, and the places from which people reach them: palette, launcher, menu, the file browser. */

import type { ILabShell, JupyterFrontEnd } from "@jupyterlab/application";
import { type ICommandPalette, showErrorMessage } from "@jupyterlab/apputils";
import type { IFileBrowserFactory } from "@jupyterlab/filebrowser";
import type { ILauncher } from "@jupyterlab/launcher";
import type { IMainMenu } from "@jupyterlab/mainmenu";
import type { INotebookTracker } from "@jupyterlab/notebook";
import { Menu } from "@lumino/widgets";
import { problemOf } from "./hooks.ts";
import { cohortIcon, flipIcon } from "./icon.ts";
import type { Live } from "./live.ts";
import { newNotebook, TEMPLATES } from "./notebooks.ts";
import type { Doing } from "./panel/Panel.tsx";
import { openBuilder, openPublish, openRelease, PANEL } from "./places.tsx";
import type { Server } from "./server.ts";

export interface Surroundings {
  app: JupyterFrontEnd;
  shell: ILabShell;
  server: Server;
  live: Live;
  palette: ICommandPalette | null;
  launcher: ILauncher | null;
  menu: IMainMenu | null;
  browsers: IFileBrowserFactory | null;
  notebooks: INotebookTracker | null;
}

export interface Commands extends Doing {
  openPanel: () => void;
}

const CATEGORY = "FLIP";
const OPEN = "flip:open-panel";
const NEW = "flip:new-notebook";
const COHORT = "flip:build-cohort";
const RELEASE = "flip:request-release";
const PUBLISH = "flip:publish-dashboard";
const FILES = '.jp-DirListing-item[data-isdir="false"]';
const NOTEBOOKS = '.jp-DirListing-item[data-file-type="notebook"]';

export function addCommands(around: Surroundings): Commands {
  const { app, shell } = around;
  app.commands.addCommand(OPEN, {
    label: "Project panel",
    caption: "The project, its Trusts, its privacy budget, jobs and releases",
    icon: args => (args.isPalette ? undefined : flipIcon),
    execute: () => shell.activateById(PANEL),
  });
  app.commands.addCommand(COHORT, {
    label: "Cohort builder",
    caption: "Say who it is about by choosing from the catalogue, see what it costs, count them",
    icon: args => (args.isPalette ? undefined : cohortIcon),
    execute: () => openBuilder(around),
  });
  app.commands.addCommand(NEW, {
    label: args => TEMPLATES[String(args.template)]?.label ?? "New notebook",
    caption: args => TEMPLATES[String(args.template)]?.caption ?? "",
    icon: args => (args.isPalette ? undefined : flipIcon),
    execute: async args => {
      try {
        await newNotebook(around, String(args.template));
      } catch (error) {
        const { message, mend } = problemOf(error);
        await showErrorMessage(message, mend);
      }
    },
  });
  addLeaving(around);
  addPlaces(around);
  return {
    openPanel: () => void app.commands.execute(OPEN),
    begin: () => void app.commands.execute(NEW, { template: "first-model" }),
    buildCohort: () => void app.commands.execute(COHORT),
  };
}

/** What is asked of chosen files, from the file browser's menu. */
function addLeaving({ app, browsers, server, live }: Surroundings): void {
  const chosen = (): string[] =>
    [...(browsers?.tracker.currentWidget?.selectedItems() ?? [])]
      .filter(item => item.type !== "directory")
      .map(item => app.serviceManager.contents.localPath(item.path));
  app.commands.addCommand(RELEASE, {
    label: "Request release …",
    icon: () => flipIcon,
    isEnabled: () => chosen().length > 0,
    execute: () => openRelease({ files: chosen(), server, live }),
  });
  app.commands.addCommand(PUBLISH, {
    label: "Publish dashboard …",
    icon: () => flipIcon,
    isEnabled: () => chosen().length === 1,
    execute: () => openPublish({ files: chosen(), server, live }),
  });
  app.contextMenu.addItem({ command: RELEASE, selector: FILES, rank: 50 });
  app.contextMenu.addItem({ command: PUBLISH, selector: NOTEBOOKS, rank: 51 });
}

function addPlaces({ app, palette, launcher, menu }: Surroundings): void {
  const entries = [
    { command: OPEN, args: {} },
    { command: COHORT, args: {} },
    ...Object.keys(TEMPLATES).map(template => ({ command: NEW, args: { template } })),
  ];
  const flip = new Menu({ commands: app.commands });
  flip.id = "flip-menu";
  flip.title.label = CATEGORY;
  entries.forEach(({ command, args }, rank) => {
    palette?.addItem({ command, args: { ...args, isPalette: true }, category: CATEGORY });
    launcher?.add({ command, args, category: CATEGORY, rank });
    flip.addItem({ command, args });
  });
  menu?.addMenu(flip, true, { rank: 600 });
}
