"""Writes what the generator and TestAgents need from two public packages into a folder: the list of crawlers, and user agents
of people and of crawlers, one a line.

    pip install crawler-user-agents==1.60.0 device-detector==6.5.1 PyYAML==6.0.3
    python agents.py FOLDER

device-detector's tests have user agents of which it is known what sends them: those of browsers, and of apps that show pages
in an engine of a browser's, are people's.
"""

import json
import pathlib
import sys

import yaml


def installed(name):
    """The folder of a package, without running it."""
    for place in map(pathlib.Path, sys.path):
        if (place / name / "__init__.py").exists():
            return place / name
    sys.exit(f"agents.py: the package {name} is not installed")


def cases():
    folder = installed("device_detector") / "tests" / "fixtures" / "upstream"
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for file in sorted(folder.glob("*.yml")):
        for case in yaml.load(file.read_text(encoding="utf-8"), loader) or []:
            yield case


def write(file, agents):
    lines = sorted({" ".join(str(ua).split()) for ua in agents} - {""})
    file.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    print(len(lines), file.name)


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    people, apps, bots = [], [], []
    for case in cases():
        client, agent = case.get("client"), str(case["user_agent"])
        kind = client.get("type") if isinstance(client, dict) else None
        if case.get("bot"):
            bots.append(agent)
        elif kind == "browser":
            people.append(agent)
        elif kind == "mobile app" and agent.startswith("Mozilla/5.0 (") and ") AppleWebKit/" in agent:
            apps.append(agent)
    write(folder / "people.txt", people)
    write(folder / "apps.txt", apps)
    write(folder / "bots.txt", bots)
    crawlers = (installed("crawleruseragents") / "crawler-user-agents.json").read_text(encoding="utf-8")
    (folder / "crawler-user-agents.json").write_text(crawlers, encoding="utf-8")
    write(folder / "crawlers.txt", (ua for entry in json.loads(crawlers) for ua in entry.get("instances", [])))


main()
