#ifndef KIN_REPORT_REPORT_HTML_H
#define KIN_REPORT_REPORT_HTML_H
/* report.html: one file for people, made of report.json and model.json alone, so that whoever has
 * the output directory can make the same bytes again. It has no script, fetches nothing and says so
 * to the browser; charts are tables with bars and inline SVG, with every number as text beside
 * them. Names and values are hostile: escaped, cut, and isolated from the direction of the text
 * around them. Lists are cut at bounds that are named where they apply, so that a page of a huge
 * job is below 2 MB, one of a common job below 300 kB. Pure; any thread; blocks for milliseconds.
 */
#include "common/base/mem.h"

/* How the weight of one pair came about. All borrowed. */
struct kin_waterfall_step {
    const char *label;   /* of the comparison */
    struct kin_str a, b; /* values of both sides; empty: none */
    const char *level;   /* its text, "no value" and the like */
    double weight;       /* in bits: what this step adds */
    double total;        /* with all steps before, and this one */
};
struct kin_waterfall {
    const char *title; /* "The weakest pair that matched" */
    struct kin_str source_a, id_a, source_b, id_b;
    const struct kin_waterfall_step *steps; /* the first is the prior: label, weight and total */
    size_t step_count;
    double probability; /* that goes with the last total */
};
enum { KIN_WATERFALLS_MAX = 50, KIN_WATERFALL_STEPS_MAX = 64 };

struct kin_report_html_input {
    struct kin_str report; /* text of report.json */
    struct kin_str model;  /* text of model.json; empty: there is none */
    const struct kin_waterfall *waterfalls;
    size_t waterfall_count;
};

/* Appends the page. What is not in report.json, as in one of an earlier version, is left out of the
 * page, or 0. KIN_E_SYNTAX: report.json is no JSON object; what kin_model_read says of the model;
 * KIN_E_LIMIT: more waterfalls or steps than the bounds above; KIN_E_NOMEM. */
kin_status kin_report_html(const struct kin_report_html_input *input, struct kin_buf *out,
                           struct kin_err *err) KIN_MUST_CHECK;

#endif
