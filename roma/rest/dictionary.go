package rest

import (
	"context"

	"github.com/gatehouse-go/gatehouse/internal/surface"
	"github.com/gatehouse-go/gatehouse/roma"
)

// dictionaryCalls is chapter 3.3.
var dictionaryCalls = []surface.Operation{
	surface.Op("GET /validate-dictionaries", findDictionary, missing404),
	page("GET /dictionaries", "dictionaries", roma.Instance.Dictionaries, missing404),
	create("POST /dictionaries", roma.Instance.CreateDictionary),
	get("GET /dictionaries/{id}", roma.Instance.Dictionary, missing404),
	update("PUT /dictionaries/{id}", roma.Instance.UpdateDictionary, missing404),
	remove("DELETE /dictionaries/{id}", roma.Instance.DeleteDictionary, missing404),
}

// findDictionary answers with less than an entry has.
func findDictionary(ctx context.Context, ref roma.DictionaryRef) (roma.DictionaryRef, error) {
	d, err := instance(ctx).FindDictionary(ctx, ref)
	return roma.DictionaryRef{Name: d.Name, Code: d.Code}, err
}
