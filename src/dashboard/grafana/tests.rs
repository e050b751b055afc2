//! Whole dashboards in Grafana's forms, old and new, written for these tests.

use serde_json::{Value, json};

use super::super::export::{Choices, Imported, import};
use super::super::{Frame, Kind, Widget};

mod documents;

fn read(document: &Value) -> (Imported, Vec<String>) {
    let choices = Choices { source: "main".to_owned(), max_widgets: 500 };
    let imported = import(document, &choices).expect("a dashboard");
    let said = imported.report.iter().map(|one| format!("{}: {}", one.what, one.why)).collect();
    (imported, said)
}

fn titled<'a>(imported: &'a Imported, title: &str) -> &'a Widget {
    let found = imported.dashboard.widgets.values().find(|widget| widget.title == title);
    found.unwrap_or_else(|| panic!("no widget is called {title}"))
}

/// A dashboard as it is shared now: with inputs, variables, a folded row, and one of each panel.
fn shared() -> Value {
    let at = |x: u16, y: u16, w: u16, h: u16| json!({ "x": x, "y": y, "w": w, "h": h });
    let source = json!({ "type": "prometheus", "uid": "${DS_PROM}" });
    let ask = |expr: &str, legend: &str| json!({ "expr": expr, "legendFormat": legend, "refId": "A" });
    json!({
        "__inputs": [{ "name": "DS_PROM", "type": "datasource", "pluginId": "prometheus" }],
        "title": "Shop", "schemaVersion": 41, "time": { "from": "now-6h", "to": "now" }, "refresh": "30s",
        "tags": ["shop", " eu ", "shop", "", "x\ny"], "links": [{}], "annotations": { "list": [{ "builtIn": 1, "name": "x" }, { "name": "Deploys" }] },
        "templating": { "list": [
            { "name": "job", "type": "query", "query": "label_values(up, job)", "current": { "value": "shop" } },
            { "name": "top", "type": "custom", "query": "5,10", "current": { "value": "10" } },
        ] },
        "panels": [
            { "type": "stat", "title": "Errors", "gridPos": at(0, 0, 6, 4), "datasource": source,
              "targets": [ask("sum(rate(errors{job=\"$job\"}[$__rate_interval]))", "")],
              "fieldConfig": { "defaults": { "unit": "percentunit", "decimals": 2, "min": 0, "max": 1,
                "thresholds": { "mode": "absolute", "steps": [
                    { "color": "green", "value": null }, { "color": "orange", "value": 0.01 }, { "color": "red", "value": 0.05 } ] } } },
              "options": { "reduceOptions": { "calcs": ["mean"] } } },
            { "type": "timeseries", "title": "Requests of $job", "gridPos": at(6, 0, 18, 8), "datasource": source, "description": "d",
              "targets": [ask("a", "{{code}}"), ask("b", "all")],
              "fieldConfig": { "defaults": { "unit": "reqps", "custom": { "drawStyle": "line", "fillOpacity": 20, "stacking": { "mode": "normal" } },
                "thresholds": { "steps": [{ "color": "green", "value": null }, { "color": "red", "value": 80 }] } },
                "overrides": [{ "matcher": { "id": "byName", "options": "a" }, "properties": [
                    { "id": "custom.axisPlacement", "value": "right" }, { "id": "unit", "value": "percent" }, { "id": "max", "value": 100 },
                    { "id": "custom.drawStyle", "value": "line" }, { "id": "custom.fillOpacity", "value": 0 }, { "id": "custom.lineStyle", "value": { "fill": "dash" } },
                    { "id": "custom.stacking", "value": { "mode": "none" } }, { "id": "color", "value": { "mode": "fixed", "fixedColor": "dark-red" } },
                  ] }, { "matcher": { "id": "byRegexp", "options": "/^(in|out)$/" }, "properties": [{ "id": "custom.hideFrom", "value": { "viz": true } }] },
                  { "matcher": { "id": "byFrameRefID", "options": "Z" }, "properties": [{ "id": "custom.transform", "value": "negative-Y" }] }] } },
            { "type": "row", "title": "More", "collapsed": true, "gridPos": at(0, 8, 24, 1), "panels": [
                { "type": "gauge", "title": "Disk", "gridPos": at(0, 9, 6, 6), "targets": [ask("disk", "")],
                  "fieldConfig": { "defaults": { "unit": "bytes" } } },
                { "type": "bargauge", "title": "Top $top", "gridPos": at(6, 9, 6, 6), "targets": [ask("topk($top, x)", "{{pod}}")] },
                { "type": "table", "title": "All", "gridPos": at(12, 9, 12, 6), "targets": [ask("up", "")],
                  "fieldConfig": { "defaults": {}, "overrides": [
                    { "matcher": { "id": "byName", "options": "Value" }, "properties": [{ "id": "unit", "value": "s" }] } ] } },
                { "type": "nodeGraph", "title": "Nodes", "gridPos": at(0, 15, 12, 6), "targets": [ask("h", "")] },
                { "type": "timeseries", "title": "Logs", "gridPos": at(12, 15, 12, 6), "datasource": { "type": "loki" }, "targets": [ask("l", "")] },
            ] },
            { "type": "text", "title": "Runbook", "gridPos": at(0, 9, 12, 5), "options": { "mode": "markdown", "content": "# $job" } },
            { "type": "text", "title": "Old page", "gridPos": at(12, 9, 12, 5), "options": { "mode": "html", "content": "<h1>Hi</h1><p>a &amp; b<br>c</p>" } },
        ],
    })
}

#[test]
fn a_shared_dashboard_comes_over() {
    let (imported, said) = read(&shared());
    let dashboard = &imported.dashboard;
    assert_eq!(dashboard.title, "Shop");
    assert_eq!(dashboard.settings["range"], json!("6h"));
    assert_eq!(dashboard.settings["refresh"], json!(30));
    assert_eq!(dashboard.settings["tags"], json!(["shop", "eu"]));
    assert_eq!(dashboard.settings["value.job"], json!("shop"));
    assert_eq!(dashboard.settings["variable.top"], json!({ "choices": ["5", "10"] }));

    let errors = titled(&imported, "Errors");
    let expected = json!({ "source": "main", "query": "sum(rate(errors{job=\"$job\"}[$__rate_interval]))",
        "unit": "0-1", "decimals": 2, "min": 0, "max": 1, "warn_at": 0.01, "alert_at": 0.05, "shows": "mean", "each": true });
    assert_eq!(json!(errors.options), expected);
    assert_eq!(errors.frame, Frame::new(0, 0, 6, 4));
    let asked = dashboard.query(errors).expect("it asks");
    assert_eq!(asked.variables["job"].values, ["shop"]);

    let requests = titled(&imported, "Requests of $job");
    let expected = json!({ "source": "main", "query": "a\nb", "legend": "{{code}}\nall", "unit": "req/s", "style": "area", "stacked": true,
        "lines": "a = right, line, dashed, red\nin | out = hidden", "right_unit": "%", "right_max": 100 });
    assert_eq!(json!(requests.options), expected);

    assert_eq!(titled(&imported, "More").kind, Kind::Note);
    assert_eq!(titled(&imported, "Disk").kind, Kind::Gauge);
    assert_eq!(titled(&imported, "Top $top").kind, Kind::Bar);
    assert_eq!(titled(&imported, "All").options["unit.Value"], json!("s"));
    let runbook = titled(&imported, "Runbook");
    assert_eq!(runbook.text.as_ref().map(|text| text.plain()), Some("# $job"));
    // The folded row above it came unfolded.
    assert!(runbook.frame.y > titled(&imported, "All").frame.y);
    assert_eq!(titled(&imported, "Old page").text.as_ref().map(|text| text.plain()), Some("Hi\n\na & b\nc"));

    for expected in [
        "“Requests of $job”: Not taken over: 1 override of single series.",
        "“Nodes”: Panels of the type “nodeGraph” have no counterpart here. It was left out.",
        "“Logs”: It has no query that can be asked here (a query of loki). It was left out.",
        "“Old page”: Not taken over: HTML (its text is here).",
        "Annotations “Deploys”",
        "1 description: Widgets have none here",
        "1 link of the dashboard: A note can hold links",
        "2 tags: A dashboard has up to 20",
    ] {
        assert!(said.iter().any(|one| one.starts_with(expected)), "{expected} is not among {said:#?}");
    }
    assert_eq!(said.len(), 8, "{said:#?}");
}

#[test]
fn the_api_s_wrapping_and_the_resource_s_are_the_same_dashboard() {
    let (plain, said) = read(&shared());
    for wrapped in [
        json!({ "dashboard": shared(), "meta": { "slug": "shop" } }),
        json!({ "apiVersion": "dashboard.grafana.app/v1beta1", "kind": "Dashboard", "spec": shared() }),
    ] {
        assert_eq!(read(&wrapped), (plain.clone(), said.clone()));
    }
}

#[test]
fn a_dashboard_of_old_comes_over() {
    let (imported, said) = read(&json!({
        "title": "Old", "schemaVersion": 12, "refresh": false, "time": { "from": "now/d", "to": "now" },
        "rows": [{ "title": "Row", "showTitle": true, "height": "250px", "panels": [
            { "type": "singlestat", "title": "CPU", "span": 3, "datasource": "${DS_LOCAL}", "format": "percent", "postfix": "",
              "valueName": "current", "colorBackground": true, "thresholds": "70,90", "targets": [{ "expr": "cpu" }],
              "valueMaps": [{ "op": "=", "text": "N/A", "value": "null" }] },
            { "type": "singlestat", "title": "Root", "span": 3, "gauge": { "show": true, "minValue": 0, "maxValue": 100 },
              "format": "none", "postfix": " files", "thresholds": "", "targets": [{ "expr": "root" }] },
            { "type": "graph", "title": "Memory", "span": 6, "stack": true, "fill": 0, "targets": [{ "expr": "m", "legendFormat": "m" }],
              "yaxes": [{ "format": "bytes", "min": "0", "max": null, "logBase": 1 }, {}], "links": [],
              "seriesOverrides": [{ "alias": "x", "yaxis": 2 }, { "alias": "y", "color": "#fff" }], "thresholds": [{ "value": 9, "op": "gt", "colorMode": "critical" }] },
        ] }],
    }));
    let cpu = titled(&imported, "CPU");
    assert_eq!(
        json!(cpu.options),
        json!({ "source": "main", "query": "cpu", "unit": "%", "warn_at": 70, "alert_at": 90, "each": true })
    );
    let root = titled(&imported, "Root");
    assert_eq!(root.kind, Kind::Gauge);
    assert_eq!(
        json!(root.options),
        json!({ "source": "main", "query": "root", "unit": "files", "min": 0, "max": 100, "shows": "mean" })
    );
    let memory = titled(&imported, "Memory");
    let expected = json!({ "source": "main", "query": "m", "legend": "m", "unit": "bytes", "min": 0, "style": "line", "stacked": true, "alert_at": 9, "lines": "x = right" });
    assert_eq!(json!(memory.options), expected);
    assert_eq!(memory.frame, Frame::new(12, 1, 12, 7));
    assert_eq!(said, ["Time: “now/d” is no time that is known here. The usual time shows.",]);
}

#[test]
fn a_name_that_means_nothing_is_told_with_its_panel() {
    let (_, said) = read(&json!({ "panels": [
        { "type": "timeseries", "title": "T", "targets": [{ "expr": "x{a=\"$nowhere\"}[$__range] $__from" }] },
    ] }));
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].contains("$nowhere") && said[0].contains("$__from") && !said[0].contains("$__range"),
        "{said:?}"
    );
}

#[test]
fn series_of_a_number_may_have_units_of_their_own() {
    let of = |id: &str, options: &str, properties: Value| json!({ "matcher": { "id": id, "options": options }, "properties": properties });
    let unit = |unit: &str| json!({ "id": "unit", "value": unit });
    let named = json!({ "id": "displayName", "value": "Disk" });
    let (imported, said) = read(&json!({ "panels": [{ "type": "stat", "title": "Host", "targets": [
        { "refId": "A", "expr": "cpu", "legendFormat": "CPU" }, { "refId": "B", "expr": "ram", "legendFormat": "RAM" },
        { "refId": "C", "expr": "disk", "legendFormat": "{{device}}" } ],
        "fieldConfig": { "defaults": { "unit": "percent" }, "overrides": [
            of("byName", "RAM", json!([unit("bytes")])),
            of("byFrameRefID", "C", json!([unit("decbytes"), named])),
            of("byRegexp", "/C.*/", json!([unit("s")])),
        ] } }] }));
    let host = titled(&imported, "Host");
    let expected = json!({ "source": "main", "query": "cpu\nram\ndisk", "legend": "CPU\nRAM\nDisk", "unit": "%",
        "unit.RAM": "bytes", "unit.Disk": "decbytes", "each": true });
    assert_eq!(json!(host.options), expected);
    assert_eq!(said, ["“Host”: Not taken over: 1 override of single series."]);
}

#[test]
fn what_is_said_of_a_query_comes_over_where_it_can() {
    let of = |matcher: (&str, &str), properties: &[(&str, Value)]| {
        let properties: Vec<Value> =
            properties.iter().map(|(id, value)| json!({ "id": id, "value": value })).collect();
        json!({ "matcher": { "id": matcher.0, "options": matcher.1 }, "properties": properties })
    };
    let panel = |title: &str, targets: Value, overrides: &[Value]| {
        json!({ "type": "timeseries", "title": title, "targets": targets,
            "fieldConfig": { "defaults": { "unit": "s" }, "overrides": overrides } })
    };
    let one = json!([{ "refId": "A", "expr": "up", "legendFormat": "all" }]);
    let two = json!([{ "refId": "A", "expr": "a", "legendFormat": "{{x}}" }, { "refId": "B", "expr": "b" }]);
    let (imported, said) = read(&json!({ "panels": [
        panel("Only", one, &[
            of(("byName", "all"), &[("unit", json!("bytes")), ("displayName", json!("Every ${__field.labels.job}"))]),
            of(("byFrameRefID", "A"), &[("min", json!(1)), ("color", json!({ "mode": "fixed", "fixedColor": "red" }))]),
        ]),
        panel("Two", two, &[
            of(("byFrameRefID", "B"), &[("displayName", json!("Second"))]),
            of(("byFrameRefID", "A"), &[("unit", json!("bytes"))]),
            of(("byRegexp", ".*"), &[("max", json!(9))]),
        ]),
    ] }));
    let only = titled(&imported, "Only");
    assert_eq!(
        json!(only.options),
        json!({ "source": "main", "query": "up", "legend": "Every {{job}}", "unit": "bytes", "min": 1, "style": "line", "lines": "all = red" })
    );
    let two = titled(&imported, "Two");
    assert_eq!(
        json!(two.options),
        json!({ "source": "main", "query": "a\nb", "legend": "{{x}}\nSecond", "unit": "s", "max": 9, "style": "line", "lines": "* = unit bytes" })
    );
    assert_eq!(said, [""; 0]);
}

#[test]
fn heat_maps_come_over_with_their_units() {
    let (imported, said) = read(&json!({ "panels": [
        { "type": "heatmap", "title": "New", "targets": [{ "expr": "sum by (le) (rate(h_bucket[5m]))", "format": "heatmap", "legendFormat": "{{le}}" }],
          "options": { "calculate": false, "yAxis": { "unit": "s" }, "cellValues": { "unit": "reqps" }, "color": { "scheme": "Oranges", "max": 50 } } },
        { "type": "heatmap", "title": "Old", "targets": [{ "expr": "h", "legendFormat": "{{le}}" }], "dataFormat": "timeseries",
          "yAxis": { "format": "bytes" }, "color": { "min": null } },
    ] }));
    let new = json!({ "source": "main", "query": "sum by (le) (rate(h_bucket[5m]))", "legend": "{{le}}", "style": "heatmap",
        "row_unit": "s", "unit": "req/s", "max": 50 });
    assert_eq!(json!(titled(&imported, "New").options), new);
    let old = json!({ "source": "main", "query": "h", "legend": "{{le}}", "style": "heatmap", "row_unit": "bytes" });
    assert_eq!(json!(titled(&imported, "Old").options), old);
    assert_eq!(said, ["“Old”: Not taken over: counting of values into buckets (each series is a row)."]);
}
