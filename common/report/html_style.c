/* What stands before the first section: the page's promises to the browser, its looks, its title.
 */
#include "common/report/html_impl.h"

static const char promises[] =
    "<!DOCTYPE html>\n"
    "<html lang=\"en\">\n"
    "<head>\n"
    "<meta charset=\"utf-8\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
    "style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'\">\n"
    "<meta name=\"referrer\" content=\"no-referrer\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<meta name=\"color-scheme\" content=\"light dark\">\n"
    "<link rel=\"icon\" href=\"data:,\">\n";

/* Blue and orange are told apart by nearly every eye; no meaning is in colour alone. */
static const char looks[] =
    "<style>\n"
    ":root{--bg:#f4f6f9;--card:#fff;--ink:#172033;--soft:#566178;--line:#dfe4ec;--faint:#eef1f6;"
    "--main:#2b63c6;--other:#9fb0cc;--third:#d3dae6;--for:#2b63c6;--against:#cf6a1f;--bad:#b4312d;"
    "--mark:#8a4b00;--markbg:#fff4e0;--markline:#f0cf98}\n"
    "@media(prefers-color-scheme:dark){:root{--bg:#10141c;--card:#181e29;--ink:#e6eaf2;"
    "--soft:#9aa6bb;--line:#2c3545;--faint:#222a38;--main:#6c9bf2;--other:#50617f;--third:#343f53;"
    "--for:#6c9bf2;--against:#e8914e;--bad:#f07f78;--mark:#f3bf73;--markbg:#2b2415;"
    "--markline:#5b4a24}}\n"
    "*{box-sizing:border-box}\n"
    "html{-webkit-text-size-adjust:100%}\n"
    "body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"
    "\"Segoe UI\",Roboto,\"Helvetica Neue\",Arial,sans-serif}\n"
    "header,main,footer{max-width:1080px;margin:0 auto;padding:0 20px}\n"
    "header{padding-top:34px}\n"
    "h1{font-size:30px;line-height:1.2;margin:0 0 6px;letter-spacing:-.01em;"
    "overflow-wrap:anywhere}\n"
    "h2{font-size:19px;margin:0 0 4px}\n"
    "h3{font-size:15px;margin:26px 0 4px}\n"
    ".eyebrow{margin:0 0 4px;color:var(--soft);font-size:13px;letter-spacing:.04em;"
    "text-transform:uppercase}\n"
    ".sub{margin:0 0 18px;color:var(--soft);font-size:16px}\n"
    ".sub data{color:var(--ink);font-weight:600}\n"
    "nav{margin:0 0 18px;display:flex;flex-wrap:wrap;gap:6px}\n"
    "nav a{color:var(--ink);text-decoration:none;border:1px solid var(--line);border-radius:99px;"
    "padding:3px 12px;font-size:13px;background:var(--card)}\n"
    "nav a:hover,nav a:focus-visible{border-color:var(--main);color:var(--main)}\n"
    "section{background:var(--card);border:1px solid var(--line);border-radius:10px;"
    "padding:22px 24px;margin:0 0 18px}\n"
    ".lead{color:var(--soft);margin:0 0 14px;max-width:76ch}\n"
    ".note{color:var(--soft);font-size:13px;margin:8px 0 0;max-width:90ch}\n"
    ".tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(148px,1fr));gap:12px;"
    "margin:14px 0 18px;padding:0;list-style:none}\n"
    ".tiles li{background:var(--faint);border-radius:8px;padding:10px 14px}\n"
    ".tiles b{display:block;font-size:22px;line-height:1.25;font-variant-numeric:tabular-nums}\n"
    ".tiles span{color:var(--soft);font-size:13px}\n"
    ".scroll{overflow-x:auto}.scroll table{min-width:660px}\n";

static const char chart_looks[] =
    "table{border-collapse:collapse;width:100%;font-size:14px}\n"
    "th,td{text-align:left;padding:5px 10px;border-bottom:1px solid var(--line);"
    "vertical-align:top}\n"
    "thead th{color:var(--soft);font-weight:500;font-size:13px;white-space:nowrap;"
    "vertical-align:bottom}\n"
    "tbody th{font-weight:500;overflow-wrap:anywhere;min-width:9em}\n"
    "tbody td{overflow-wrap:anywhere}\n"
    "tfoot th,tfoot td{border-bottom:0;border-top:2px solid var(--line);font-weight:600}\n"
    "th:first-child,td:first-child{padding-left:0}\n"
    "th:last-child,td:last-child{padding-right:0}\n"
    ".n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}\n"
    ".bar{width:34%;min-width:150px;padding-top:9px}\n"
    ".bar svg{display:block}\n"
    "#weights td:first-child,#mu td:first-child{padding-left:10px}"
    "#keys tbody th{min-width:13em}\n"
    "#mu .bar,#threshold-table .bar{width:22%}#mu td:nth-last-child(6){min-width:9em}\n"
    "#keys .bar{width:22%}.waterfall .bar{width:30%}\n"
    ".band svg{display:block;border-radius:4px}\n"
    "tr.first>*{border-top:1px solid var(--soft)}\n"
    ".rank{color:var(--soft);font-weight:400}\n"
    "svg.chart{display:block;width:100%;min-width:640px;height:auto;"
    "font:12px system-ui,-apple-system,\"Segoe UI\",Roboto,Arial,sans-serif}\n"
    "svg text{fill:var(--soft)}svg .strong{fill:var(--ink);font-weight:600}"
    "svg .faint{opacity:.6}svg .mid{text-anchor:middle}svg .end{text-anchor:end}\n"
    ".main{fill:var(--main)}.other{fill:var(--other)}.third{fill:var(--third)}"
    ".for{fill:var(--for)}.against{fill:var(--against)}.lost{fill:var(--bad)}\n"
    ".axis{stroke:var(--soft);fill:none}.grid{stroke:var(--line);fill:none}"
    ".cut{stroke:var(--mark);stroke-width:1.5;stroke-dasharray:5 3;fill:none}"
    ".cut.first{stroke-dasharray:none;stroke-width:2}"
    "svg text.marked{fill:var(--mark);font-weight:600}\n"
    ".legend{display:flex;flex-wrap:wrap;gap:4px 18px;margin:8px 0 14px;padding:0;"
    "list-style:none;font-size:13px;color:var(--soft)}\n"
    ".legend svg{width:11px;height:11px;margin-right:6px;vertical-align:-1px}\n"
    ".doubts{list-style:none;margin:12px 0 0;padding:0;display:grid;gap:10px}\n"
    ".doubts li{border:1px solid var(--markline);background:var(--markbg);border-radius:8px;"
    "padding:10px 14px;overflow-wrap:anywhere}\n"
    ".doubts code{display:block;color:var(--mark);font-size:13px;font-weight:600}\n"
    ".bad{color:var(--bad);font-weight:600}\n"
    ".tag{font-size:12px;border:1px solid var(--line);border-radius:99px;padding:0 8px;"
    "color:var(--soft);white-space:nowrap;font-weight:400}\n"
    "code{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}\n"
    "footer{color:var(--soft);font-size:13px;padding-bottom:40px}\n"
    "@media(max-width:640px){section{padding:16px 14px;border-radius:8px}h1{font-size:24px}}\n"
    "@media print{body{background:#fff}section{break-inside:avoid;border-color:#ccc}"
    "nav{display:none}.scroll{overflow:visible}}\n"
    "</style>\n";

void page_head(struct page *p)
{
    put(p, promises);
    put(p, "<title>");
    put_escaped(p, kin_str_of(json_words(p->report, "workflow")));
    put(p, " \xc2\xb7 Kindred report</title>\n");
    put(p, looks);
    put(p, chart_looks);
    put(p, "</head>\n");
}
