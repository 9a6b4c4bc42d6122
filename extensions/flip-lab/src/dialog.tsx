/** A dialog of the browser's own: it keeps the focus, closes with Escape, and gives the focus back. */

import { ReactWidget } from "@jupyterlab/apputils";
import { Widget } from "@lumino/widgets";
import type React from "react";
import { Button } from "./parts.tsx";

export function openDialog(title: string, body: (close: () => void) => React.JSX.Element): void {
  const node = document.createElement("dialog");
  node.className = "flip-dialog";
  node.setAttribute("aria-label", title);
  const close = (): void => node.close();
  const widget = ReactWidget.create(
    <>
      <header className="flip-dialog-head">
        <h2>{title}</h2>
        <Button onClick={close} label="Close">
          ✕
        </Button>
      </header>
      {body(close)}
    </>,
  );
  node.addEventListener("close", () => {
    widget.dispose();
    node.remove();
  });
  document.body.append(node);
  Widget.attach(widget, node);
  node.showModal();
}
