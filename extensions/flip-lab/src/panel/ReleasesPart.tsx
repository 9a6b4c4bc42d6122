import type React from "react";
import { Empty, Section, StateMark, Waiting } from "../parts.tsx";
import type { Release, ReleaseFile } from "../records.ts";
import { ago, stateWords } from "../words.ts";

export function ReleasesPart(props: {
  releases: Release[] | undefined;
  denied: string | undefined;
}): React.JSX.Element {
  const { releases } = props;
  const open = releases?.filter(release => release.open).length ?? 0;
  return (
    <Section title="Releases" note={open > 0 ? `${open} waiting` : undefined} denied={props.denied}>
      {releases === undefined && <Waiting words="Asking the hub …" />}
      {releases?.length === 0 && (
        <Empty>
          Nothing has been asked to leave. Right-click a file in the file browser and choose “Request release …”.
        </Empty>
      )}
      <ul className="flip-list">
        {releases?.map(release => (
          <li key={release.id} className="flip-card">
            <p className="flip-name">{release.purpose}</p>
            <ul className="flip-files">
              {release.files.map(file => (
                <FileRow key={file.path} file={file} checking={release.checking} />
              ))}
            </ul>
            <p className="flip-small">
              {release.by}, <time dateTime={release.requested}>{ago(release.requested)}</time>
            </p>
          </li>
        ))}
      </ul>
    </Section>
  );
}

function FileRow({ file, checking }: { file: ReleaseFile; checking: boolean }): React.JSX.Element {
  const words = checking ? "its checks run" : file.leaves ? stateWords(file.state) : "helps the checkers only";
  return (
    <li>
      <div className="flip-line">
        <code>{file.path}</code>
        <StateMark state={file.state} words={words} />
      </div>
      {file.reason && <p className="flip-reason">{file.reason}</p>}
    </li>
  );
}
