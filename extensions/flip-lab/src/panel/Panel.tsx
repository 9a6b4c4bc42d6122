import React from "react";
import { useLive } from "../hooks.ts";
import type { Live } from "../live.ts";
import { Button, Waiting } from "../parts.tsx";
import type { Job } from "../records.ts";
import type { Server } from "../server.ts";
import { announcement } from "../words.ts";
import { BudgetPart } from "./BudgetPart.tsx";
import { DashboardsPart } from "./DashboardsPart.tsx";
import { JobsPart } from "./JobsPart.tsx";
import { AwayLine, ProjectPart } from "./ProjectPart.tsx";
import { ReleasesPart } from "./ReleasesPart.tsx";

export interface Doing {
  /** Opens a notebook to begin with. */
  begin: () => void;
  /** Opens the cohort builder. */
  buildCohort: () => void;
}

export function Panel({ live, server, doing }: { live: Live; server: Server; doing: Doing }): React.JSX.Element {
  const { hub, project, budget, jobs, releases, dashboards, denied } = useLive(live);
  return (
    <div className="flip-panel">
      {hub && !hub.here && <AwayLine hub={hub} />}
      {project && <ProjectPart project={project} />}
      {!project && (hub === undefined || hub.here) && <Waiting words="Asking the hub …" />}
      {project && (
        <>
          <div className="flip-buttons">
            <Button kind="main" onClick={doing.begin}>
              New notebook
            </Button>
            <Button onClick={doing.buildCohort}>Build a cohort</Button>
          </div>
          <BudgetPart budget={budget} denied={denied?.budget} />
          <JobsPart jobs={jobs} denied={denied?.jobs} server={server} begin={doing.begin} />
          <ReleasesPart releases={releases} denied={denied?.releases} />
          <DashboardsPart dashboards={dashboards} denied={denied?.dashboards} />
        </>
      )}
      <Announcer jobs={jobs ?? NONE} />
    </div>
  );
}

const NONE: Job[] = [];

/** Tells a screen reader how jobs go on, now and then, without interrupting it. */
function Announcer({ jobs }: { jobs: Job[] }): React.JSX.Element {
  const before = React.useRef<Job[]>(NONE);
  const [words, setWords] = React.useState("");
  React.useEffect(() => {
    const said = announcement(before.current, jobs);
    before.current = jobs;
    if (said) setWords(said);
  }, [jobs]);
  return (
    <div className="flip-unseen" role="status" aria-live="polite">
      {words}
    </div>
  );
}
