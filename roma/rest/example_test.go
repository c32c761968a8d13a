package rest_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/gatehouse-go/gatehouse/roma"
	"github.com/gatehouse-go/gatehouse/roma/iam"
	"github.com/gatehouse-go/gatehouse/roma/rest"
	"github.com/gatehouse-go/gatehouse/storage/memory"
)

func ExampleNew() {
	users := iam.NewStatic()
	users.AddToken("demo-token", iam.Principal{UserID: "u1", Access: iam.Full})
	store := memory.New(memory.Config{})
	defer store.Close()
	sys, err := roma.New(store, roma.Config{Authenticator: users})
	if err != nil {
		panic(err)
	}
	defer sys.Close()
	if err := sys.AddInstance(context.Background(), "p", "i"); err != nil {
		panic(err)
	}
	h, err := rest.New(sys, rest.Options{})
	if err != nil {
		panic(err)
	}
	call := func(method, path, body string) {
		r := httptest.NewRequest(method, "/v2/p/apic/instances/i"+path, strings.NewReader(body))
		r.Header.Set("X-Auth-Token", "demo-token")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		text, _ := io.ReadAll(w.Body)
		if w.Code == http.StatusNoContent || w.Code >= 400 {
			fmt.Println(w.Code, strings.TrimSpace(string(text)))
			return
		}
		fmt.Println(w.Code)
	}
	call("POST", "/api-groups", `{"name":"orders"}`)
	call("POST", "/api-groups", `{"name":"orders"}`)
	call("DELETE", "/envs/DEFAULT_ENVIRONMENT_RELEASE_ID", "")
	// Output:
	// 201
	// 400 {"error_code":"APIG.3201","error_msg":"The API group name already exists"}
	// 403 {"error_code":"APIG.1103","error_msg":"No permissions to perform operations on this environment"}
}
