"""From official dataset folders to manifests, splits, audits and pixel stores."""
