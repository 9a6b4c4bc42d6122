import type React from "react";
import { StateMark } from "../parts.tsx";
import type { Examined, Finding } from "../records.ts";

const VERDICTS = {
  pass: "passes every check",
  flag: "a checker will look closely",
  block: "cannot be released as it is",
};
const GRAVE = { block: "Blocked", flag: "To look at", note: "Note" };

/** What the airlock's checks say of each file, and how to mend what they found. */
export function Checks({ files }: { files: Examined[] }): React.JSX.Element {
  return (
    <ul className="flip-list">
      {files.map(file => (
        <li key={file.path} className="flip-card">
          <div className="flip-line">
            <code>{file.path}</code>
            <StateMark state={file.verdict} words={VERDICTS[file.verdict]} />
          </div>
          {file.findings.length > 0 && (
            <ul className="flip-findings">
              {file.findings.map(finding => (
                <FindingRow key={`${finding.rule}${finding.message}`} finding={finding} />
              ))}
            </ul>
          )}
        </li>
      ))}
    </ul>
  );
}

function FindingRow({ finding }: { finding: Finding }): React.JSX.Element {
  return (
    <li className={`flip-finding flip-finding-${finding.severity}`}>
      <p>
        <strong>{GRAVE[finding.severity]}.</strong> {finding.message}
      </p>
      {finding.mend && <p className="flip-small">{finding.mend}</p>}
    </li>
  );
}
