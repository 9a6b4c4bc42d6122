"""Pages for people: server-rendered, in the NHS design system's components, without any inline script."""
