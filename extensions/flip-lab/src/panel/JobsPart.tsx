import React from "react";
import { curvePath } from "../curve.ts";
import { useAsking } from "../hooks.ts";
import { Button, Confirm, Empty, ProblemBox, Section, StateMark, Waiting } from "../parts.tsx";
import type { Job } from "../records.ts";
import type { Server } from "../server.ts";
import { ago, plural } from "../words.ts";

/** As many as the workspace's server tells of (`flip_lab/watched.py`). */
const MOST_JOBS = 20;

export function JobsPart(props: {
  jobs: Job[] | undefined;
  denied: string | undefined;
  server: Server;
  begin: () => void;
}): React.JSX.Element {
  const { jobs } = props;
  const running = jobs?.filter(job => !job.ended).length ?? 0;
  return (
    <Section title="Jobs" note={running > 0 ? `${running} running` : undefined} denied={props.denied}>
      {jobs === undefined && <Waiting words="Asking the hub …" />}
      {jobs?.length === 0 && (
        <Empty>
          Nothing has been asked of the Trusts yet. Begin with{" "}
          <button type="button" className="flip-link" onClick={props.begin}>
            a first federated model
          </button>
          .
        </Empty>
      )}
      <ul className="flip-list">
        {jobs?.map(job => (
          <JobRow key={job.id} job={job} server={props.server} />
        ))}
      </ul>
      {jobs && jobs.length >= MOST_JOBS && (
        <p className="flip-small">
          These are the newest {MOST_JOBS}; <code>project.jobs()</code> lists all of them.
        </p>
      )}
    </Section>
  );
}

function JobRow({ job, server }: { job: Job; server: Server }): React.JSX.Element {
  return (
    <li className="flip-card">
      <div className="flip-line">
        <span className="flip-name">{job.kind}</span>
        <StateMark state={job.state} />
      </div>
      {!job.ended && <Progress job={job} />}
      <div className="flip-line flip-small">
        <span>
          {job.by}, <time dateTime={job.submitted}>{ago(job.submitted)}</time>
        </span>
        {job.latest && !job.ended && <span>{job.latest}</span>}
      </div>
      {job.failed && job.reason && <p className="flip-reason">{job.reason}</p>}
      <Trusts job={job} />
      {!job.ended && <Cancel job={job} server={server} />}
    </li>
  );
}

function Progress({ job }: { job: Job }): React.JSX.Element {
  const words = job.rounds > 1 ? `round ${job.round} of ${job.rounds}` : "under way";
  return (
    <>
      <div
        className={job.rounds > 1 ? "flip-progress" : "flip-progress flip-progress-open"}
        role="progressbar"
        aria-label={`Progress of ${job.kind} ${job.id}`}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.round(job.share * 100)}
        aria-valuetext={words}
      >
        <div className="flip-fill" style={job.rounds > 1 ? { width: `${job.share * 100}%` } : {}} />
      </div>
      <div className="flip-line flip-small">
        <span>{words}</span>
        <Curve job={job} />
      </div>
    </>
  );
}

const [WIDTH, HEIGHT] = [96, 20];

function Curve({ job }: { job: Job }): React.JSX.Element | null {
  const path = curvePath(job.curve, WIDTH, HEIGHT);
  if (!path) return null;
  return (
    <svg
      className="flip-curve"
      viewBox={`-1 -1 ${WIDTH + 2} ${HEIGHT + 2}`}
      role="img"
      aria-label={`Curve: ${job.latest}`}
    >
      <path d={path} />
    </svg>
  );
}

function Trusts({ job }: { job: Job }): React.JSX.Element | null {
  if (job.trusts.length === 0) return null;
  const refused = job.trusts.filter(one => one.words.startsWith("refused")).length;
  return (
    <details className="flip-details">
      <summary>
        {plural(job.trusts.length, "Trust")}
        {refused > 0 && `, ${refused} refused`}
      </summary>
      <ul>
        {job.trusts.map(one => (
          <li key={one.trust}>
            <strong>{one.trust}</strong> {one.words}
          </li>
        ))}
      </ul>
    </details>
  );
}

function Cancel({ job, server }: { job: Job; server: Server }): React.JSX.Element {
  const [asks, setAsks] = React.useState(false);
  const { busy, problem, ask } = useAsking();
  const cancel = async (): Promise<void> => {
    if (await ask(() => server.cancel(job.id))) setAsks(false);
  };
  if (!asks) {
    return (
      <div className="flip-buttons">
        <Button onClick={() => setAsks(true)} label={`Cancel ${job.kind} ${job.id}`}>
          Cancel …
        </Button>
      </div>
    );
  }
  return (
    <>
      <Confirm
        question="Cancel this job? What Trusts have released by now stays spent."
        yes="Cancel the job"
        no="Let it run"
        busy={busy}
        onYes={() => void cancel()}
        onNo={() => setAsks(false)}
      />
      <ProblemBox problem={problem} />
    </>
  );
}
