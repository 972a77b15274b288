-- A run database as version 1 of the schema made it, with a run, its label and a model.
CREATE TABLE artifacts (
  id INTEGER NOT NULL,
  project TEXT NOT NULL,
  "key" TEXT NOT NULL,
  uid TEXT NOT NULL,
  kind TEXT NOT NULL,
  tree TEXT,
  iteration INTEGER NOT NULL,
  best_iteration BOOLEAN NOT NULL,
  producer_uri TEXT,
  created BIGINT NOT NULL,
  updated BIGINT NOT NULL,
  document TEXT NOT NULL,
  PRIMARY KEY (id),
  UNIQUE (project, "key", uid)
);
CREATE INDEX artifacts_by_tree ON artifacts (project, tree);
CREATE TABLE functions (
  id INTEGER NOT NULL,
  project TEXT NOT NULL,
  name TEXT NOT NULL,
  uid TEXT NOT NULL,
  kind TEXT,
  state TEXT,
  updated BIGINT NOT NULL,
  document TEXT NOT NULL,
  PRIMARY KEY (id),
  UNIQUE (project, name, uid)
);
CREATE TABLE logs (
  project TEXT NOT NULL,
  uid TEXT NOT NULL,
  start BIGINT NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY (project, uid, start)
);
CREATE TABLE projects (
  id INTEGER NOT NULL,
  name TEXT NOT NULL,
  owner TEXT,
  state TEXT,
  created BIGINT NOT NULL,
  updated BIGINT NOT NULL,
  document TEXT NOT NULL,
  PRIMARY KEY (id),
  UNIQUE (name)
);
CREATE TABLE runs (
  id INTEGER NOT NULL,
  project TEXT NOT NULL,
  uid TEXT NOT NULL,
  iteration INTEGER NOT NULL,
  name TEXT NOT NULL,
  state TEXT NOT NULL,
  started BIGINT NOT NULL,
  updated BIGINT NOT NULL,
  document TEXT NOT NULL,
  PRIMARY KEY (id),
  UNIQUE (project, uid, iteration)
);
CREATE INDEX ix_runs_state ON runs (state);
CREATE INDEX runs_by_name ON runs (project, name, started);
CREATE TABLE artifact_labels (
  parent INTEGER NOT NULL,
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (parent, name),
  FOREIGN KEY(parent) REFERENCES artifacts (id) ON DELETE CASCADE
);
CREATE INDEX artifact_labels_by_value ON artifact_labels (name, value);
CREATE TABLE artifact_tags (
  parent INTEGER NOT NULL,
  tag TEXT NOT NULL,
  PRIMARY KEY (parent, tag),
  FOREIGN KEY(parent) REFERENCES artifacts (id) ON DELETE CASCADE
);
CREATE INDEX artifact_tags_by_tag ON artifact_tags (tag);
CREATE TABLE function_labels (
  parent INTEGER NOT NULL,
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (parent, name),
  FOREIGN KEY(parent) REFERENCES functions (id) ON DELETE CASCADE
);
CREATE INDEX function_labels_by_value ON function_labels (name, value);
CREATE TABLE function_tags (
  project TEXT NOT NULL,
  name TEXT NOT NULL,
  tag TEXT NOT NULL,
  parent INTEGER NOT NULL,
  PRIMARY KEY (project, name, tag),
  FOREIGN KEY(parent) REFERENCES functions (id) ON DELETE CASCADE
);
CREATE INDEX ix_function_tags_parent ON function_tags (parent);
CREATE TABLE project_labels (
  parent INTEGER NOT NULL,
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (parent, name),
  FOREIGN KEY(parent) REFERENCES projects (id) ON DELETE CASCADE
);
CREATE INDEX project_labels_by_value ON project_labels (name, value);
CREATE TABLE run_labels (
  parent INTEGER NOT NULL,
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (parent, name),
  FOREIGN KEY(parent) REFERENCES runs (id) ON DELETE CASCADE
);
CREATE INDEX run_labels_by_value ON run_labels (name, value);
INSERT INTO runs VALUES (1, 'old', 'u1', 0, 'train', 'completed', 1000000000, 2000000000, '{"metadata": {"name": "train", "uid": "u1", "project": "old", "labels": {"a": "b"}}, "spec": {}, "status": {"state": "completed", "start_time": "1970-01-01T00:00:01+00:00"}}');
INSERT INTO run_labels VALUES (1, 'a', 'b');
INSERT INTO artifacts VALUES (1, 'old', 'm', 'x1', 'model', 't1', 0, 1, 'old/u1', 1000000000, 2000000000, '{"kind": "model", "metadata": {"key": "m", "project": "old", "tree": "t1", "uid": "x1", "iter": 0}, "spec": {"db_key": "m", "parent_uri": "store://models/old/p:v1"}}');
INSERT INTO artifact_tags VALUES (1, 'latest');
PRAGMA user_version=1;
