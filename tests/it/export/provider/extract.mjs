// Reads the schemas of AWS's Terraform provider out of the package @cdktn/provider-aws, which is generated from them, and
// prints them as JSON: node extract.mjs <unpacked package> > schema.json
//
// A file of the package, lib/<resource>/index.js, has for the resource and for each of its blocks
// - a table of arguments with their types (`synthesizeHclAttributes`, `<block>ToHclTerraform`), and
// - in the TypeScript source of its source map, a comment "name - computed: …, optional: …, required: …" each.
import fs from "node:fs";
import path from "node:path";

const TYPES = {
  string: "string", number: "number", boolean: "bool",
  stringMap: ["map", "string"], numberMap: ["map", "number"], booleanMap: ["map", "bool"],
};
const LISTS = { stringList: "string", numberList: "number", booleanList: "bool" };
const READ = { String: "string", Number: "number", Boolean: "bool", List: ["list", "string"], StringMap: ["map", "string"] };

function argumentsOf(body) {
  const entry = /^ +([a-z0-9_]+): \{\n +value: ([^\n]*),\n +isBlock: (true|false),\n +type: "([a-z]+)",\n +storageClassType: "([A-Za-z0-9]+)",/gm;
  return [...body.matchAll(entry)].map(([, name, value, isBlock, kind, type]) => ({ name, value, isBlock: isBlock === "true", kind, type }));
}

// What is computed, optional, required, by class and name; and how an attribute that is only computed is read.
function factsOf(source) {
  const classes = new Map();
  for (const text of source.split(/^export class /m).slice(1)) {
    const facts = new Map();
    const fact = /\/\/ ([a-z0-9_]+) - computed: (true|false), optional: (true|false), required: (true|false)\n([\s\S]*?)(?=\n  \/\/ [a-z0-9_]+ - computed|\n  \/\/ =====|$)/g;
    for (const [, name, computed, optional, required, code] of text.matchAll(fact)) {
      const read = /this\.get(String|Number|Boolean|List|StringMap)Attribute\(/.exec(code);
      facts.set(name, { computed: computed === "true", optional: optional === "true", required: required === "true", read: read && READ[read[1]], many: !/OutputReference\(this/.test(code) });
    }
    classes.set(/^\w+/.exec(text)[0], facts);
  }
  return classes;
}

function blockOf(entries, facts, tables, classes) {
  const block = { attributes: {}, block_types: {} };
  for (const { name, value, isBlock, kind, type } of entries) {
    const { computed, optional, required, many } = facts.get(name);
    const element = LISTS[type];
    if (!isBlock && (TYPES[type] || element)) {
      block.attributes[name] = { type: element ? [kind, element] : TYPES[type], computed, optional, required, write_only: name.endsWith("_wo") };
      continue;
    }
    const table = /(\w+)ToHclTerraform/.exec(value)[1];
    const inner = table[0].toUpperCase() + table.slice(1) + "OutputReference";
    block.block_types[name] = {
      nesting_mode: kind === "struct" ? "single" : kind,
      min_items: required ? 1 : 0,
      max_items: many ? 0 : 1,
      block: blockOf(argumentsOf(tables.get(table)), classes.get(inner), tables, classes),
    };
  }
  for (const [name, { computed, optional, read }] of facts) {
    if (computed && !optional && !block.attributes[name] && read) block.attributes[name] = { type: read, computed };
  }
  return block;
}

const lib = path.join(process.argv[2], "lib");
const out = { resources: {}, data: {} };
for (const directory of fs.readdirSync(lib).sort()) {
  const js = fs.readFileSync(path.join(lib, directory, "index.js"), "utf8");
  const map = /sourceMappingURL=data:application\/json;base64,(\S+)/.exec(js)[1];
  const source = JSON.parse(Buffer.from(map, "base64").toString()).sourcesContent[0];
  const name = /tfResourceType = "([a-z0-9_]+)"/.exec(js)[1];
  const main = /^export class (\w+) extends cdktn\.Terraform(?:Resource|DataSource) /m.exec(source)[1];
  const tables = new Map([...js.matchAll(/function (\w+)ToHclTerraform\(struct\) \{([\s\S]*?)\n\}/g)].map(([, name, body]) => [name, body]));
  const classes = factsOf(source);
  const top = /synthesizeHclAttributes\(\) \{([\s\S]*?)\n    \}/.exec(js);
  const block = blockOf(top ? argumentsOf(top[1]) : [], classes.get(main), tables, classes);
  (directory.startsWith("data-") ? out.data : out.resources)[name] = block;
}
console.log(JSON.stringify(out, null, 1));
