package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// startTimeout bounds how long a server may take to answer its first query.
const startTimeout = 30 * time.Second

// buildQuern builds the product into dir and returns the binary's path.
func buildQuern(dir string, flags ...string) (string, error) {
	root, err := repoRoot()
	if err != nil {
		return "", err
	}
	bin := filepath.Join(dir, "quern")
	cmd := exec.Command("go", append(append([]string{"build"}, flags...), "-o", bin, "./cmd/quern")...)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build quern: %v\n%s", err, out)
	}
	return bin, nil
}

// quernProcess is a running `quern serve`.
type quernProcess struct {
	cmd      *exec.Cmd
	URL      string // postgres://admin@…
	HTTP     string // http://…
	log      *os.File
	finished chan error
}

// startQuern serves data on free ports with trust authentication and waits
// until it answers. Its log goes to data+".log".
func startQuern(bin, data string, args ...string) (*quernProcess, error) {
	return startQuernEnv(nil, bin, data, args...)
}

// startQuernEnv adds variables to the process's environment.
func startQuernEnv(env []string, bin, data string, args ...string) (*quernProcess, error) {
	pg, err := freeAddr()
	if err != nil {
		return nil, err
	}
	http, err := freeAddr()
	if err != nil {
		return nil, err
	}
	log, err := os.OpenFile(data+".log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(bin, append([]string{"serve", "--data", data, "--pg", pg, "--http", http, "--auth", "trust"}, args...)...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(os.Environ(), env...)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &quernProcess{cmd: cmd, URL: "postgres://admin@" + pg + "/quern", HTTP: "http://" + http, log: log, finished: make(chan error, 1)}
	waitInBackground(p)
	if err := waitReady(p.URL, p.finished); err != nil {
		p.Kill()
		return nil, fmt.Errorf("%w (log: %s)", err, log.Name())
	}
	return p, nil
}

// waitInBackground reports the process's end on p.finished.
func waitInBackground(p *quernProcess) {
	started.Go(func() { p.finished <- p.cmd.Wait() })
}

// Kill ends the process as power loss of the machine would: at once.
func (p *quernProcess) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.finished
	p.finished <- nil
	_ = p.log.Close()
}

// died waits until the process ends by itself, at most d.
func (p *quernProcess) died(d time.Duration) bool {
	select {
	case err := <-p.finished:
		p.finished <- err
		return true
	case <-time.After(d):
		return false
	}
}

// Stop asks for an orderly end and waits for it.
func (p *quernProcess) Stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-p.finished:
		p.finished <- err
		_ = p.log.Close()
		return err
	case <-time.After(15 * time.Second):
		p.Kill()
		return fmt.Errorf("quern did not stop within 15 s of SIGTERM")
	}
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// waitReady connects until a query is answered. A nil finished never fires.
func waitReady(url string, finished chan error) error {
	deadline := time.Now().Add(startTimeout)
	for {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		conn, err := pgconn.Connect(ctx, url)
		if err == nil {
			_, err = conn.Exec(ctx, "SELECT 1").ReadAll()
			_ = conn.Close(ctx)
		}
		cancel()
		if err == nil {
			return nil
		}
		select {
		case died := <-finished:
			finished <- died
			return fmt.Errorf("the server ended while starting: %v", died)
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("no answer within %s: %w", startTimeout, err)
		}
	}
}

// postgresServer is a throw-away PostgreSQL 15 used as oracle.
type postgresServer struct {
	cmd *exec.Cmd
	dir string
	URL string
}

// startPostgres runs initdb and postgres as a non-root user in a folder of its
// own. Absent binaries are an error that names the package to install.
func startPostgres() (*postgresServer, error) {
	bin, err := postgresBin()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "quern-oracle-")
	if err != nil {
		return nil, err
	}
	cred, err := unprivileged(dir)
	if err != nil {
		return nil, err
	}
	run := func(name string, args ...string) *exec.Cmd {
		cmd := exec.Command(filepath.Join(bin, name), args...)
		cmd.Dir = dir
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: cred}
		return cmd
	}
	data := filepath.Join(dir, "data")
	if out, err := run("initdb", "-D", data, "-U", "admin", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %v\n%s", err, out)
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	cmd := run("postgres", "-D", data, "-p", port, "-k", dir, "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "timezone=UTC")
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &postgresServer{cmd: cmd, dir: dir, URL: "postgres://admin@127.0.0.1:" + port + "/postgres"}
	if err := waitReady(p.URL, nil); err != nil {
		p.Stop()
		return nil, err
	}
	return p, nil
}

// Stop ends the oracle and removes its folder.
func (p *postgresServer) Stop() {
	_ = p.cmd.Process.Signal(syscall.SIGINT)
	_ = p.cmd.Wait()
	_ = os.RemoveAll(p.dir)
}

func postgresBin() (string, error) {
	for _, dir := range []string{"/usr/lib/postgresql/15/bin", "/usr/local/bin", "/usr/bin"} {
		if _, err := os.Stat(filepath.Join(dir, "initdb")); err == nil {
			return dir, nil
		}
	}
	return "", fmt.Errorf("PostgreSQL 15 is not installed (Debian package postgresql-15)")
}

// unprivileged gives dir to a non-root user, as PostgreSQL refuses root. For
// other users it returns nil: the process runs as who we are.
func unprivileged(dir string) (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.Atoi(u.Uid)
		if err != nil {
			return nil, err
		}
		gid, err := strconv.Atoi(u.Gid)
		if err != nil {
			return nil, err
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, os.Chown(dir, uid, gid)
	}
	return nil, fmt.Errorf("no user postgres or nobody to run PostgreSQL as")
}
