package agora

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/storage"
)

// AppID is a project's key in the rule and channel APIs ("vendor_key"): 32
// lower-case hex digits, given once and never changed.
type AppID string

// isHex32 reports whether the text has the form of an App ID. Upper-case digits
// are of the form, and no project's.
func (id AppID) isHex32() bool {
	for i := range len(id) {
		switch c := id[i]; {
		case '0' <= c && c <= '9', 'a' <= c && c <= 'f', 'A' <= c && c <= 'F':
		default:
			return false
		}
	}
	return len(id) == 32
}

// ProjectID is a project's key in the project and usage APIs. It is opaque and
// never given again.
type ProjectID string

// Status is whether a project works.
type Status int

const (
	Disabled Status = 0 // nobody joins; its rules stay
	Enabled  Status = 1 // as a project is made
)

// Project is what an account sees of one of its projects.
type Project struct {
	ID   ProjectID
	Name string
	// AppID is "vendor_key".
	AppID AppID
	// SignKey is the App Certificate, "" while it is off ("sign_key"). The
	// documents are silent on what is shown then.
	SignKey string
	// RecordingServer is host:port or "". Nothing here reads it; old recording
	// SDKs do.
	RecordingServer string
	Status          Status
	Created         time.Time // in UTC and whole seconds
}

// String leaves the certificate out.
func (p Project) String() string {
	return "project " + string(p.ID) + " " + strconv.Quote(p.Name) + " app id " + string(p.AppID)
}

// GoString leaves it out, too.
func (p Project) GoString() string { return "agora.Project{" + p.String() + "}" }

// LogValue is what a log shows: the same, also of handlers that write JSON.
func (p Project) LogValue() slog.Value { return slog.StringValue(p.String()) }

// projectRow is a project as it is stored, and as it is judged with.
type projectRow struct {
	ID      ProjectID `json:"id"`
	Number  int64     `json:"n"` // order of creation
	Account string    `json:"account"`
	Name    string    `json:"name"`
	AppID   AppID     `json:"app_id"`
	// Certificate is kept when it is turned off; "" when none was ever made.
	Certificate     string    `json:"certificate,omitempty"`
	CertificateOn   bool      `json:"certificate_on,omitempty"`
	RecordingServer string    `json:"recording_server,omitempty"`
	Disabled        bool      `json:"disabled,omitempty"`
	Created         time.Time `json:"created"`
}

func (r *projectRow) project() Project {
	p := Project{
		ID: r.ID, Name: r.Name, AppID: r.AppID, RecordingServer: r.RecordingServer,
		Status: Enabled, Created: r.Created,
	}
	if r.CertificateOn {
		p.SignKey = r.Certificate
	}
	if r.Disabled {
		p.Status = Disabled
	}
	return p
}

// MaxProjectName is the longest name of a project, in characters.
const MaxProjectName = 255

// NewProject says what project to create.
type NewProject struct {
	Name string // 1 to 255 characters; need not be unique
	// EnableSignKey makes a certificate at once.
	EnableSignKey bool
}

// CreateProject makes a project, enabled ("Dashboard RESTful API", POST
// project).
func (a *Account) CreateProject(ctx context.Context, n NewProject) (Project, error) {
	switch {
	case n.Name == "":
		return Project{}, invalid("name", "", "empty")
	case !utf8.ValidString(n.Name):
		return Project{}, invalid("name", n.Name, "not UTF-8")
	case utf8.RuneCountInString(n.Name) > MaxProjectName:
		return Project{}, invalid("name", n.Name, "longer than %d characters", MaxProjectName)
	}
	row := projectRow{
		ID: ProjectID(newID()), AppID: AppID(newID()), Account: a.id, Name: n.Name,
		Created: a.sys.now().Truncate(time.Second),
	}
	if n.EnableSignKey {
		row.Certificate, row.CertificateOn = newID(), true
	}
	t := &a.sys.tables
	err := a.sys.update(ctx, func(w storage.Writer) error {
		if quota := a.sys.config.ProjectQuota; quota > 0 {
			have, err := t.projectsByAccount.Prefix(table.Str(a.id)).Count(w)
			if err != nil {
				return err
			}
			if have >= quota {
				return newError(QuotaExceeded, "project quota exceeded", "name", n.Name)
			}
		}
		number, err := t.projectNumber.Next(w)
		if err != nil {
			return err
		}
		row.Number = number
		return t.projects.Insert(w, row)
	})
	if err != nil {
		return Project{}, err
	}
	return row.project(), nil
}

// Projects returns the account's projects in the order of their creation,
// disabled ones included (GET projects).
func (a *Account) Projects(ctx context.Context) ([]Project, error) {
	return a.projects(ctx, func(*projectRow) bool { return true })
}

// FindProjects returns the account's projects with the id and the name, where
// "" is not given (GET project). Names are not unique, so there may be several.
// The documents are silent on both missing, which is invalid here, and on no
// match, which is [ErrNotFound].
func (a *Account) FindProjects(ctx context.Context, id ProjectID, name string) ([]Project, error) {
	if id == "" && name == "" {
		return nil, newError(InvalidArgument, "one of id and name is required", "", "")
	}
	found, err := a.projects(ctx, func(r *projectRow) bool {
		return (id == "" || r.ID == id) && (name == "" || r.Name == name)
	})
	if err == nil && len(found) == 0 {
		if id != "" {
			return nil, projectNotExist("id", string(id))
		}
		return nil, projectNotExist("name", name)
	}
	return found, err
}

func (a *Account) projects(ctx context.Context, keep func(*projectRow) bool) ([]Project, error) {
	list := []Project{}
	err := a.sys.view(ctx, func(r storage.Reader) error {
		list = list[:0]
		for row, err := range a.sys.tables.projectsByAccount.Prefix(table.Str(a.id)).Where(keep).Rows(r) {
			if err != nil {
				return err
			}
			list = append(list, row.project())
		}
		return nil
	})
	return list, err
}

// SetStatus enables or disables a project (POST project_status). Disabling ends
// all its sessions and refuses joins; its rules stay and keep ageing, and rule
// calls go on working. The status that it has already changes nothing. The
// documents are silent on all this.
func (a *Account) SetStatus(ctx context.Context, id ProjectID, status Status) (Project, error) {
	if status != Enabled && status != Disabled {
		return Project{}, invalid("status", strconv.Itoa(int(status)), "not 0 or 1")
	}
	return a.change(ctx, id, func(r *projectRow) error {
		r.Disabled = status == Disabled
		return nil
	})
}

// SetRecordingServer sets host:port of the recording server (POST
// recording_config). Like the certificate calls it does not see a disabled
// project. The document is silent on other text, which we refuse.
func (a *Account) SetRecordingServer(ctx context.Context, id ProjectID, server string) (Project, error) {
	host, port, err := net.SplitHostPort(server)
	number, portErr := strconv.ParseUint(port, 10, 16)
	if err != nil || portErr != nil || number == 0 || !isHost(host) {
		return Project{}, invalid("recording_server", server, "not host:port")
	}
	return a.change(ctx, id, enabledOnly(id, func(r *projectRow) { r.RecordingServer = server }))
}

// isHost reports whether text is an address or can be a host's name, whose
// letters may be of any alphabet. A colon is an IPv6 address's alone.
func isHost(text string) bool {
	if strings.Contains(text, ":") {
		_, err := netip.ParseAddr(text)
		return err == nil
	}
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool {
		return !unicode.In(r, unicode.L, unicode.M, unicode.Nd) && !strings.ContainsRune("-._", r)
	})
}

// DeleteProject deletes a project for good, whatever its status (DELETE
// project): its sessions end, and its rules and usage are gone.
func (a *Account) DeleteProject(ctx context.Context, id ProjectID) error {
	t := &a.sys.tables
	return a.sys.update(ctx, func(w storage.Writer) error {
		row, err := a.project(w, id)
		if err != nil {
			return err
		}
		// Its rules are not found any more without it. Their records are left
		// to be swept when they end, in a day at most, so that this
		// transaction does not grow with their number.
		if _, err := t.usage.Prefix(table.Str(id)).Delete(w); err != nil {
			return err
		}
		if _, err := t.operations.Prefix(table.Str(row.AppID)).Delete(w); err != nil {
			return err
		}
		return t.projects.Delete(w, table.Str(id))
	})
}

// change changes the account's project by fn.
func (a *Account) change(ctx context.Context, id ProjectID, fn func(*projectRow) error) (Project, error) {
	var p Project
	err := a.sys.update(ctx, func(w storage.Writer) error {
		if _, err := a.project(w, id); err != nil {
			return err
		}
		row, err := a.sys.tables.projects.Update(w, table.Str(id), fn)
		p = row.project()
		return err
	})
	if err != nil {
		return Project{}, err
	}
	return p, nil
}

// enabledOnly is for the calls to which a disabled project does not exist,
// though GET project shows it; the document has that so.
func enabledOnly(id ProjectID, fn func(*projectRow)) func(*projectRow) error {
	return func(r *projectRow) error {
		if r.Disabled {
			return projectNotExist("id", string(id))
		}
		fn(r)
		return nil
	}
}

// project returns the account's project; another's is one that does not exist.
func (a *Account) project(r storage.Reader, id ProjectID) (projectRow, error) {
	row, err := a.sys.tables.projects.Get(r, table.Str(id))
	if errors.Is(err, table.ErrNotFound) || err == nil && row.Account != a.id {
		return projectRow{}, projectNotExist("id", string(id))
	}
	return row, err
}
