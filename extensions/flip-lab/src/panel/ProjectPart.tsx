import type React from "react";
import { StateMark } from "../parts.tsx";
import type { HubState, Project } from "../records.ts";
import { day } from "../words.ts";

export function ProjectPart({ project }: { project: Project }): React.JSX.Element {
  return (
    <header className="flip-project">
      <h2>{project.title}</h2>
      <p className="flip-facts">
        <StateMark state={project.state} />
        <span>
          until <time dateTime={project.until}>{day(project.until)}</time>
        </span>
        <code>{project.id}</code>
      </p>
      {project.notices.map(notice => (
        <p key={notice} className="flip-notice" role="note">
          {notice}
        </p>
      ))}
    </header>
  );
}

/** A line that says that the hub is away; what was known before stays below it. */
export function AwayLine({ hub }: { hub: HubState }): React.JSX.Element {
  return (
    <div className="flip-problem" role="alert">
      <strong>{hub.message}</strong>
      <p>{hub.mend}</p>
    </div>
  );
}
