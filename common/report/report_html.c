#include "common/report/report_html.h"

#include "common/report/html_impl.h"

/* The page as a whole. */

enum { REPORT_BYTES_MAX = 64 << 20 };

static void title(struct page *p)
{
    const json_t *groups = json_object_get(p->report, "groups");
    size_t sources = json_array_size(json_object_get(p->report, "sources"));
    put(p, "<body>\n<header>\n<p class=\"eyebrow\">Kindred \xc2\xb7 report of a match</p>\n<h1>");
    put_text(p, json_words(p->report, "workflow"));
    put(p, "</h1>\n<p class=\"sub\">");
    put_count(p, json_count(p->report, "read"));
    put(p, sources == 1 ? " rows of one source became " : " rows of ");
    if (sources != 1) {
        put_plain_count(p, sources);
        put(p, " sources became ");
    }
    put_count(p, json_count(groups, "of_two_or_more") + json_count(p->report, "singletons"));
    put(p, " MatchGroups; ");
    put_count(p, json_count(groups, "of_two_or_more"));
    put(p, " of them hold two records or more.</p>\n");
}

static void navigation(struct page *p)
{
    bool weighed = json_object_get(p->report, "model") != NULL;
    const struct {
        const char *id, *title;
        bool there;
    } links[] = {
        {"summary", "Summary", true},          {"pair-weights", "Weights of pairs", weighed},
        {"thresholds", "Thresholds", weighed}, {"pairs", "Chosen pairs", p->waterfall_count > 0},
        {"model", "Model", p->model != NULL},  {"doubts", "Doubts", p->model != NULL},
        {"groups", "MatchGroups", true},       {"blocking", "Blocking", true},
        {"data", "Data quality", true},        {"time", "Time", true}};
    put(p, "<nav aria-label=\"Sections\">\n");
    for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
        if (links[i].there)
            kin_buf_printf(p->out, "<a href=\"#%s\">%s</a>\n", links[i].id, links[i].title);
    }
    put(p, "</nav>\n</header>\n<main>\n");
}

static void write_page(struct page *p)
{
    page_head(p);
    title(p);
    navigation(p);
    section_summary(p);
    section_weights(p);
    section_thresholds(p);
    section_waterfalls(p);
    section_model(p);
    section_doubts(p);
    section_groups(p);
    section_blocking(p);
    section_data(p);
    section_time(p);
    put(p, "</main>\n<footer>\n<p>Made by Kindred from report.json and model.json");
    put(p, p->waterfall_count ? ", and the chosen pairs from the sources" : "");
    put(p, ". This page has no script and loads nothing.</p>\n</footer>\n</body>\n</html>\n");
}

static kin_status check(const struct kin_report_html_input *in, struct kin_err *err)
{
    if (in->report.n > REPORT_BYTES_MAX)
        return kin_err_set(err, KIN_E_LIMIT, "report.json is too large for a page");
    if (in->waterfall_count > KIN_WATERFALLS_MAX)
        return kin_err_set(err, KIN_E_LIMIT, "too many pairs for a page");
    for (size_t i = 0; i < in->waterfall_count; i++) {
        if (in->waterfalls[i].step_count > KIN_WATERFALL_STEPS_MAX)
            return kin_err_set(err, KIN_E_LIMIT, "too many steps for a page");
    }
    return KIN_OK;
}

kin_status kin_report_html(const struct kin_report_html_input *in, struct kin_buf *out,
                           struct kin_err *err)
{
    struct kin_arena arena = {0};
    struct page p = {
        .out = out, .waterfalls = in->waterfalls, .waterfall_count = in->waterfall_count};
    json_error_t where;
    json_t *root = NULL;
    struct kin_model *model = NULL;
    kin_status status = check(in, err);
    if (status == KIN_OK) {
        root = json_loadb(in->report.p ? in->report.p : "", in->report.n, JSON_REJECT_DUPLICATES,
                          &where);
        if (!json_is_object(root))
            status = kin_err_set(err, KIN_E_SYNTAX, "report.json, line %d: %s", where.line,
                                 root ? "no object" : where.text);
    }
    if (status == KIN_OK && in->model.n) {
        model = kin_calloc(1, sizeof *model);
        status = model ? kin_model_read(in->model.p, in->model.n, &arena, model, err)
                       : kin_err_set(err, KIN_E_NOMEM, "out of memory");
    }
    if (status == KIN_OK) {
        p.report = root;
        p.model = model;
        if (model)
            kin_model_tables(model, &p.tables);
        write_page(&p);
        if (out->failed)
            status = kin_err_set(err, KIN_E_NOMEM, "out of memory");
    }
    json_decref(root);
    kin_free(model);
    kin_arena_deinit(&arena);
    return status;
}
