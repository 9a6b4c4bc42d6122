import type React from "react";
import { Empty, Section, StateMark, Waiting } from "../parts.tsx";
import type { Dashboard } from "../records.ts";
import { ago } from "../words.ts";

export function DashboardsPart(props: {
  dashboards: Dashboard[] | undefined;
  denied: string | undefined;
}): React.JSX.Element {
  const { dashboards } = props;
  return (
    <Section title="Dashboards" denied={props.denied}>
      {dashboards === undefined && <Waiting words="Asking the hub …" />}
      {dashboards?.length === 0 && (
        <Empty>None yet. Right-click a notebook in the file browser and choose “Publish dashboard …”.</Empty>
      )}
      <ul className="flip-list">
        {dashboards?.map(one => (
          <li key={one.name} className="flip-card">
            <div className="flip-line">
              <a href={one.address} target="_blank" rel="noopener noreferrer">
                {one.name}
              </a>
              <StateMark state={one.state} words={one.state === "requested" ? "the team sees it" : one.state} />
            </div>
            <p className="flip-small">
              {one.by}, <time dateTime={one.published}>{ago(one.published)}</time>
            </p>
          </li>
        ))}
      </ul>
    </Section>
  );
}
