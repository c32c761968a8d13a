package gateway

import "net/http"

// everyone is the value of Access-Control-Allow-Origin. The document is silent
// on what the switch cors of an API does; see 3.5 of the rules that we go by.
var everyone = []string{"*"}

// allowOrigin lets pages of other origins read the answer of an API with cors,
// unless its backend has said who may.
func (c *call) allowOrigin(h http.Header) {
	if c.route == nil || !c.route.spec.CORS {
		return
	}
	if _, said := h["Access-Control-Allow-Origin"]; !said {
		h["Access-Control-Allow-Origin"] = everyone
	}
}

// answerPreflight answers a browser that asks whether it may call an API with cors,
// which was found by the method that it asks for. It sends no credentials with
// its question, so nothing is judged but that there is the API.
func (c *call) answerPreflight(w http.ResponseWriter) {
	h := w.Header()
	h["Access-Control-Allow-Origin"] = everyone
	h["Access-Control-Allow-Methods"] = []string{c.r.Header.Get("Access-Control-Request-Method")}
	if asked := c.r.Header["Access-Control-Request-Headers"]; len(asked) > 0 {
		h["Access-Control-Allow-Headers"] = asked
	}
	h["Access-Control-Max-Age"] = []string{"600"}
	h["Vary"] = []string{"Access-Control-Request-Method, Access-Control-Request-Headers"}
	c.out.status = http.StatusNoContent
	w.WriteHeader(http.StatusNoContent)
}
