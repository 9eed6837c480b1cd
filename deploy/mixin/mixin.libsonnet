// For pipelines in the manner of kubernetes-mixin: `import 'qoder-work-exporter/deploy/mixin/mixin.libsonnet'`.
// The rules and dashboards are the generated ones. To change thresholds or addresses, write them anew with
// `qoder-work-exporter mixin`, which needs no jsonnet. It takes go-jsonnet: the one in C++ that Debian 12 has (0.18) does
// not read these rules' YAML.
local rules = std.parseYaml(importstr '../../prometheus/rules/qoder-work.rules.yml');
local recording(group) = std.all([std.objectHas(rule, 'record') for rule in group.rules]);

{
  grafanaDashboardFolder:: 'Qoder Work',

  grafanaDashboards+:: {
    'qoder-work-environment.json': import '../../grafana/dashboards/qoder-work-environment.json',
    'qoder-work-exporter.json': import '../../grafana/dashboards/qoder-work-exporter.json',
    'qoder-work-fleet.json': import '../../grafana/dashboards/qoder-work-fleet.json',
  },

  prometheusAlerts+:: {
    groups+: [group for group in rules.groups if !recording(group)],
  },

  prometheusRules+:: {
    groups+: [group for group in rules.groups if recording(group)],
  },
}
