#include "coordinator/live.h"
kin_status live_explain_pair(struct live *live, const uint8_t *a, const uint8_t *b, struct kin_buf *out);
kin_status live_explain_pair(struct live *live, const uint8_t *a, const uint8_t *b, struct kin_buf *out){(void)live;(void)a;(void)b;kin_buf_puts(out,"null");return KIN_OK;}
void live_serve_explain(struct kin_coordinator *c, kin_node_id from, const struct kin_message *m){live_answer(c,from,m->request,KIN_E_INVAL,"not yet");}
