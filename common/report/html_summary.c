/* Counts of the whole job: rows, groups, what is wrong with the data, and time. */
#include "common/report/html_impl.h"

enum { FATES = 4 };

struct fate {
    const char *key, *title, *class;
};
static const struct fate fates[FATES] = {
    {"grouped", "in a MatchGroup with others", "main"},
    {"singletons", "alone", "other"},
    {"superseded", "superseded by a later row of the same id", "third"},
    {"rejected", "rejected", "lost"},
};

static void tile(struct page *p, uint64_t n, const char *title)
{
    put(p, "<li><b>");
    put_count(p, n);
    kin_buf_printf(p->out, "</b><span>%s</span></li>\n", title);
}

static void fate_bar(struct page *p)
{
    double read = (double)json_count(p->report, "read"), from = 0;
    put(p, "<div class=\"band\"><svg width=\"100%\" height=\"22\" role=\"img\" "
           "aria-label=\"What became of the rows\">");
    for (unsigned i = 0; i < FATES; i++) {
        double share = read > 0 ? (double)json_count(p->report, fates[i].key) / read : 0;
        if (share > 0)
            kin_buf_printf(p->out,
                           "<rect class=\"%s\" x=\"%.2f%%\" width=\"%.2f%%\" height=\"22\"/>",
                           fates[i].class, 100 * from, 100 * share);
        from += share;
    }
    put(p, "</svg></div>\n<ul class=\"legend\">\n");
    for (unsigned i = 0; i < FATES; i++) {
        uint64_t n = json_count(p->report, fates[i].key);
        kin_buf_printf(p->out,
                       "<li><svg aria-hidden=\"true\"><rect class=\"%s\" width=\"11\" "
                       "height=\"11\" rx=\"2\"/></svg>",
                       fates[i].class);
        put_plain_count(p, n);
        kin_buf_printf(p->out, " %s, ", fates[i].title);
        put_share(p, (double)n, read);
        put(p, "</li>\n");
    }
    put(p, "</ul>\n");
}

static bool adds_up(const json_t *o)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < FATES; i++)
        sum += json_count(o, fates[i].key);
    return sum == json_count(o, "read");
}

static void counts_row(struct page *p, const json_t *o, const char *name)
{
    put(p, "<tr>");
    row_header(p, name);
    cell_count(p, json_count(o, "read"));
    for (unsigned i = 0; i < FATES; i++)
        cell_count(p, json_count(o, fates[i].key));
    put(p, "</tr>\n");
}

static void sources_table(struct page *p)
{
    const json_t *sources = json_object_get(p->report, "sources");
    size_t n = json_array_size(sources);
    bool good = adds_up(p->report);
    put(p, "<div class=\"scroll\"><table id=\"sources\"><thead><tr>");
    head_cell(p, "source", false);
    head_cell(p, "rows read =", true);
    head_cell(p, "grouped +", true);
    head_cell(p, "alone +", true);
    head_cell(p, "superseded +", true);
    head_cell(p, "rejected", true);
    put(p, "</tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < n; i++) {
        const json_t *source = json_array_get(sources, i);
        good = good && adds_up(source);
        if (i < SOURCE_ROWS_MAX)
            counts_row(p, source, json_words(source, "source"));
    }
    put(p, "</tbody><tfoot>\n");
    counts_row(p, p->report, "all sources");
    put(p, "</tfoot></table></div>\n");
    rows_left_out(p, SOURCE_ROWS_MAX, n, "sources");
    if (!good)
        put(p, "<p class=\"bad\">The counts do not add up: report.json is damaged.</p>\n");
}

void section_summary(struct page *p)
{
    const json_t *groups = json_object_get(p->report, "groups");
    section_begin(p, "summary", "Summary",
                  "Every row that was read is in exactly one of the columns below.");
    put(p, "<ul class=\"tiles\">\n");
    tile(p, json_count(p->report, "grouped") + json_count(p->report, "singletons"),
         "records that count");
    tile(p, json_count(groups, "of_two_or_more"), "MatchGroups of two or more");
    tile(p, json_count(groups, "largest"), "records in the largest");
    tile(p, json_count(p->report, "pairs_compared"), "pairs compared");
    tile(p, json_count(p->report, "pairs_matched"), "pairs matched by comparison");
    put(p, "</ul>\n");
    fate_bar(p);
    sources_table(p);
    section_end(p);
}

/* ---- groups ---- */

enum { SIZES = 8 }; /* of two and more */
static const char *const size_keys[SIZES] = {"2",     "3",     "4",       "5-9",
                                             "10-49", "50-99", "100-499", "500+"};
static const char *const size_labels[SIZES] = {"2",
                                               "3",
                                               "4",
                                               "5\xe2\x80\x93"
                                               "9",
                                               "10\xe2\x80\x93"
                                               "49",
                                               "50\xe2\x80\x93"
                                               "99",
                                               "100\xe2\x80\x93"
                                               "499",
                                               "500+"};

static void large_groups(struct page *p, const json_t *groups)
{
    const json_t *large = json_object_get(groups, "largest_over_max_group");
    size_t n = json_array_size(large);
    if (n == 0)
        return;
    put(p, "<h3>Over <code>limits.max_group</code></h3>\n<p class=\"note\">");
    put_count(p, json_count(groups, "over_max_group"));
    put(p, " MatchGroups are so large that they should be looked at; often one value that is no "
           "name holds them together.</p>\n<table><thead><tr>");
    head_cell(p, "MatchId", false);
    head_cell(p, "records", true);
    put(p, "</tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < n && i < GROUP_ROWS_MAX; i++) {
        const json_t *group = json_array_get(large, i);
        put(p, "<tr>");
        row_header(p, json_words(group, "match_id"));
        cell_count(p, json_count(group, "size"));
        put(p, "</tr>\n");
    }
    put(p, "</tbody></table>\n");
    rows_left_out(p, GROUP_ROWS_MAX, n, "of them");
}

void section_groups(struct page *p)
{
    const json_t *groups = json_object_get(p->report, "groups");
    const json_t *sizes = json_object_get(groups, "sizes");
    const json_t *vetoes = json_object_get(p->report, "vetoes");
    uint64_t counts[SIZES];
    for (unsigned i = 0; i < SIZES; i++)
        counts[i] = json_count(sizes, size_keys[i]);
    section_begin(p, "groups", "MatchGroups by size",
                  "How many MatchGroups have so many records. Records that are alone are not "
                  "shown.");
    column_chart(p, "MatchGroups by number of records", size_labels, counts, SIZES);
    put(p, "<p class=\"note\">Records that are alone: ");
    put_count(p, json_count(sizes, "1"));
    put(p, ".");
    if (json_count(vetoes, "components_checked")) {
        put(p, " In ");
        put_count(p, json_count(vetoes, "components_checked"));
        put(p, " sets of connected records it was checked what must stay apart; ");
        put_count(p, json_count(vetoes, "matched_pairs_refused"));
        put(p, " matched pairs ended up in different MatchGroups.");
    }
    put(p, "</p>\n");
    if (json_count(vetoes, "components_too_large")) {
        put(p, "<p class=\"bad\">");
        put_count(p, json_count(vetoes, "components_too_large"));
        put(p, " sets are above <code>limits.max_veto_group</code> and were left as they "
               "were.</p>\n");
    }
    large_groups(p, groups);
    section_end(p);
}

/* ---- data ---- */

static void reasons_table(struct page *p)
{
    const json_t *reasons = json_object_get(p->report, "rejected_by_reason");
    size_t n = json_array_size(reasons);
    double rejected = (double)json_count(p->report, "rejected");
    put(p, "<h3>Rejected rows</h3>\n");
    if (n == 0) {
        put(p, rejected > 0 ? "<p class=\"note\">They are in errors.csv.</p>\n"
                            : "<p class=\"note\">None.</p>\n");
        return;
    }
    put(p, "<table id=\"reasons\"><thead><tr>");
    head_cell(p, "reason (N: any number)", false);
    head_cell(p, "rows", true);
    head_cell(p, "", false);
    put(p, "</tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < n && i < REASON_ROWS_MAX; i++) {
        const json_t *reason = json_array_get(reasons, i);
        uint64_t rows = json_count(reason, "rows");
        struct bar_part part = {"lost", 0, rejected > 0 ? (double)rows / rejected : 0};
        put(p, "<tr>");
        row_header(p, json_words(reason, "reason"));
        cell_count(p, rows);
        cell_bar(p, &part, 1);
        put(p, "</tr>\n");
    }
    put(p, "</tbody></table>\n");
    rows_left_out(p, REASON_ROWS_MAX, n, "reasons");
}

static void unparsable_table(struct page *p)
{
    json_t *fields = json_object_get(p->report, "unparsable_values"), *value;
    const char *name;
    size_t shown = 0;
    put(p, "<h3>Values that are nothing of their field's type</h3>\n");
    json_object_foreach(fields, name, value)
    {
        if (json_integer_value(value) <= 0 || shown == FIELD_ROWS_MAX)
            continue;
        if (shown++ == 0) {
            put(p, "<p class=\"note\">They count as empty.</p>\n<table><thead><tr>");
            head_cell(p, "field", false);
            head_cell(p, "values", true);
            put(p, "</tr></thead>\n<tbody>\n");
        }
        put(p, "<tr>");
        row_header(p, name);
        cell_count(p, (uint64_t)json_integer_value(value));
        put(p, "</tr>\n");
    }
    put(p, shown ? "</tbody></table>\n" : "<p class=\"note\">None.</p>\n");
}

void section_data(struct page *p)
{
    const json_t *missing = json_object_get(p->report, "fields_without_column");
    section_begin(p, "data", "Data quality", "What could not be read as the workflow says.");
    for (size_t i = 0; i < json_array_size(missing) && i < FIELD_ROWS_MAX; i++) {
        const char *field = json_string_value(json_array_get(missing, i));
        put(p, "<p class=\"bad\">No source has a column for the field ");
        put_text(p, field ? field : "");
        put(p, ": it was empty everywhere.</p>\n");
    }
    if (json_count(p->report, "excess_keys")) {
        put(p, "<p class=\"note\">");
        put_count(p, json_count(p->report, "excess_keys"));
        put(p, " blocking keys were dropped from records that have more than "
               "<code>limits.max_keys</code>.</p>\n");
    }
    reasons_table(p);
    unparsable_table(p);
    section_end(p);
}

/* ---- time ---- */

enum { PHASES_MAX = 16 };

void section_time(struct page *p)
{
    json_t *phases = json_object_get(p->report, "seconds"), *value;
    const char *name;
    double sum = 0, longest = 0;
    unsigned shown = 0;
    json_object_foreach(phases, name, value)
    {
        double seconds = json_measure(phases, name);
        sum += seconds > 0 ? seconds : 0;
        longest = seconds > longest ? seconds : longest;
    }
    section_begin(p, "time", "Time",
                  "Seconds of each phase of this run; of a resumed one since it was resumed.");
    put(p, "<table><thead><tr>");
    head_cell(p, "phase", false);
    head_cell(p, "seconds", true);
    head_cell(p, "", false);
    put(p, "</tr></thead>\n<tbody>\n");
    json_object_foreach(phases, name, value)
    {
        double seconds = json_measure(phases, name);
        struct bar_part part = {"main", 0, longest > 0 && seconds > 0 ? seconds / longest : 0};
        if (shown++ >= PHASES_MAX)
            break;
        put(p, "<tr>");
        row_header(p, name);
        kin_buf_printf(p->out, "<td class=\"n\">%.3f</td>", seconds);
        cell_bar(p, &part, 1);
        put(p, "</tr>\n");
    }
    kin_buf_printf(p->out,
                   "</tbody><tfoot><tr><th scope=\"row\">in all</th><td class=\"n\">%.3f</td><td>"
                   "</td></tr></tfoot></table>\n",
                   sum);
    section_end(p);
}
