"""The systems that work items come from: one module each, behind one small contract (`connectors.base`)."""
